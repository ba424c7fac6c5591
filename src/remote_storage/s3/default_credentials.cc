#include "remote_storage/s3/default_credentials.h"

#include "remote_storage/s3/credentials_chain.h"
#include "remote_storage/s3/credentials_container.h"
#include "remote_storage/s3/credentials_environment.h"
#include "remote_storage/s3/credentials_instance.h"
#include "remote_storage/s3/credentials_profile.h"
#include "remote_storage/s3/credentials_renewing.h"
#include "remote_storage/s3/credentials_static.h"
#include "remote_storage/s3/credentials_web_identity.h"

namespace varve::s3 {
namespace {

Result<bool> is_anonymous(const CredentialsOptions& options) {
  const auto value = value_of(options.environment, "VARVE_S3_ANONYMOUS");
  if (value && *value != "true" && *value != "false") {
    return make_error(ErrorCode::kInvalidArgument,
                      "VARVE_S3_ANONYMOUS is '{}': it must be true or false", *value);
  }
  return options.anonymous || value == "true";
}

}  // namespace

Result<std::unique_ptr<CredentialsProvider>> default_credentials(
    const CredentialsOptions& options) {
  VARVE_ASSIGN(const bool anonymous, is_anonymous(options));
  if (anonymous) return std::make_unique<StaticCredentials>(std::nullopt, "anonymous access");
  std::vector<std::unique_ptr<CredentialsSource>> sources;
  if (!options.profile) {
    sources.push_back(std::make_unique<EnvironmentCredentials>(options.environment));
    sources.push_back(std::make_unique<WebIdentityCredentials>(options));
  }
  sources.push_back(std::make_unique<ProfileCredentials>(options));
  if (!options.profile) {
    sources.push_back(std::make_unique<ContainerCredentials>(options));
    sources.push_back(std::make_unique<InstanceCredentials>(options));
  }
  return std::make_unique<RenewingCredentials>(
      std::make_unique<CredentialsChain>(std::move(sources)), *options.clock);
}

}  // namespace varve::s3
