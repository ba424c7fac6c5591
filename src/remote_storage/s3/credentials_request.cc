#include "remote_storage/s3/credentials_request.h"

#include <algorithm>

namespace varve::s3 {

Result<HttpResponse> ask(const CredentialsOptions& credentials, const HttpRequest& request,
                         Duration limit, const CallOptions& options) {
  VARVE_TRY(options.check("fetching credentials", *credentials.clock));
  const Duration allowed = std::min(limit, options.deadline.remaining(*credentials.clock));
  auto response = credentials.transport->send(
      request, nullptr,
      {.deadline = Deadline::after(allowed, *credentials.clock), .stop = options.stop});
  if (!response.failed_with(ErrorCode::kCancelled)) return response;
  VARVE_TRY(options.check("fetching credentials", *credentials.clock));
  return make_error(ErrorCode::kUnavailable, "no answer within {} ms",
                    std::chrono::duration_cast<std::chrono::milliseconds>(allowed).count());
}

Result<> check_status(const HttpResponse& response) {
  if (response.status >= 200 && response.status < 300) return {};
  if (response.status == 429) {
    return make_error(ErrorCode::kThrottled, "too many requests (status 429)");
  }
  if (response.status >= 500) {
    return make_error(ErrorCode::kUnavailable, "the service failed (status {})", response.status);
  }
  return make_error(ErrorCode::kDenied, "refused (status {})", response.status);
}

}  // namespace varve::s3
