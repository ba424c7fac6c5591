#include "remote_storage/s3/credentials_chain.h"

namespace varve::s3 {

Result<FetchedCredentials> CredentialsChain::fetch(const CallOptions& options) {
  std::string asked;
  for (const auto& source : sources_) {
    VARVE_ASSIGN(FetchedCredentials fetched, source->fetch(options));
    if (fetched.credentials) return fetched;
    asked += fmt::format("{}{}", asked.empty() ? "" : "; ", fetched.absence);
  }
  return make_error(ErrorCode::kDenied,
                    "there are no credentials for S3: set AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY, or VARVE_S3_ANONYMOUS=true for a public bucket ({})",
                    asked);
}

}  // namespace varve::s3
