#include "remote_storage/s3/errors.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "remote_storage/s3/http_date.h"
#include "remote_storage/s3/uri.h"

namespace varve::s3 {
namespace {

struct Meaning {
  ErrorCode code;
  // What to do about it; "{bucket}", "{region}", "{credentials}" are filled in.
  std::string_view remedy = "";
};

constexpr std::string_view kCheckKeys = "check the access key and the secret key of {credentials}";
constexpr std::string_view kExpired =
    "the credentials of {credentials} have expired or were revoked: renew them";
constexpr std::string_view kGarbled = "what arrived is not what was sent";

// Amazon S3 API reference, "List of error codes"; QuotaExceeded and InvalidObjectState also of
// other servers.
const std::map<std::string_view, Meaning>& meanings() {
  static const std::map<std::string_view, Meaning> known{
      {"NoSuchKey", {ErrorCode::kNotFound}},
      {"NoSuchBucket",
       {ErrorCode::kInvalidArgument, "create bucket {bucket}, or check its name in the URL"}},
      {"NoSuchUpload", {ErrorCode::kInvalidArgument, "the upload was completed or aborted"}},

      {"AccessDenied",
       {ErrorCode::kDenied, "give the identity of {credentials} the permission for this request"}},
      {"AllAccessDisabled", {ErrorCode::kDenied, "access to bucket {bucket} was disabled"}},
      {"AccountProblem", {ErrorCode::kDenied, "see to the account of the bucket"}},
      {"SignatureDoesNotMatch", {ErrorCode::kDenied, kCheckKeys}},
      {"InvalidAccessKeyId", {ErrorCode::kDenied, kCheckKeys}},
      {"ExpiredToken", {ErrorCode::kDenied, kExpired}},
      {"InvalidToken", {ErrorCode::kDenied, kExpired}},
      {"TokenRefreshRequired", {ErrorCode::kDenied, kExpired}},
      {"RequestTimeTooSkewed", {ErrorCode::kDenied, "set the clock of this machine"}},
      {"RequestExpired", {ErrorCode::kDenied, "set the clock of this machine"}},
      {"InvalidObjectState",
       {ErrorCode::kDenied, "the object was moved to an archive class: restore it there first"}},

      {"SlowDown", {ErrorCode::kThrottled}},
      {"ServiceUnavailable", {ErrorCode::kThrottled}},
      {"RequestLimitExceeded", {ErrorCode::kThrottled}},
      {"Throttling", {ErrorCode::kThrottled}},
      {"TooManyRequests", {ErrorCode::kThrottled}},

      {"InternalError", {ErrorCode::kUnavailable}},
      {"RequestTimeout", {ErrorCode::kUnavailable}},
      {"IncompleteBody", {ErrorCode::kUnavailable}},
      {"OperationAborted", {ErrorCode::kUnavailable}},
      {"ConditionalRequestConflict",
       {ErrorCode::kUnavailable, "another request for the same key was running"}},
      {"BadDigest", {ErrorCode::kUnavailable, kGarbled}},
      {"XAmzContentSHA256Mismatch", {ErrorCode::kUnavailable, kGarbled}},
      {"XAmzContentChecksumMismatch", {ErrorCode::kUnavailable, kGarbled}},

      {"PreconditionFailed", {ErrorCode::kConflict}},

      {"PermanentRedirect", {ErrorCode::kInvalidArgument, "set region and endpoint in the URL"}},
      {"TemporaryRedirect", {ErrorCode::kUnavailable}},
      {"AuthorizationHeaderMalformed",
       {ErrorCode::kInvalidArgument, "set the bucket's region, this one was {region}"}},
      {"IllegalLocationConstraintException",
       {ErrorCode::kInvalidArgument, "set the bucket's region, this one was {region}"}},

      {"QuotaExceeded", {ErrorCode::kExhausted, "raise the quota of bucket {bucket} or its owner"}},
      {"InsufficientCapacity", {ErrorCode::kExhausted}},
  };
  return known;
}

Meaning meaning_of_status(int status, const FailedRequest& request) {
  switch (status) {
    case 401:
    case 403:
      return {ErrorCode::kDenied, "check the permissions of {credentials}"};
    case 404:
      // A HEAD has no document that could say more. Without one, any other 404 may be that of a
      // server which is no S3 at all, and proves nothing about the object.
      if (request.method == "HEAD" && !request.key.empty()) return {ErrorCode::kNotFound};
      return {ErrorCode::kInvalidArgument, "check that the endpoint is an S3 server"};
    case 405:
      return {ErrorCode::kInvalidArgument, "check that the endpoint is an S3 server"};
    case 408:
      return {ErrorCode::kUnavailable};
    case 409:
      return {ErrorCode::kUnavailable, "another request for the same key was running"};
    case 412:
      return {ErrorCode::kConflict};
    case 429:
    case 503:
      return {ErrorCode::kThrottled};
    case 501:
      return {ErrorCode::kInvalidArgument,
              request.conditional
                  ? "this server cannot create an object only if it is absent, which is needed"
                  : ""};
    case 507:
      return {ErrorCode::kExhausted};
    default:
      break;
  }
  if (status >= 500) return {ErrorCode::kUnavailable};
  if (status >= 300) return {ErrorCode::kInvalidArgument};
  return {ErrorCode::kInternal};
}

Meaning meaning_of(const FailedRequest& request, int status, std::string_view code) {
  const auto known = meanings().find(code);
  if (known != meanings().end()) return known->second;
  // Some have a list of their own, as KMS.NotFoundException: a status says enough. But an answer
  // that explains itself is one of an S3 server.
  if (code == "NotImplemented") return meaning_of_status(501, request);
  // In the document of a completion or a deletion that is a success otherwise.
  if (status == 0) return {ErrorCode::kUnavailable};
  return meaning_of_status(status, request);
}

// What the server wrote, fit for one line of a log.
std::string one_line(std::string_view text) {
  constexpr size_t kLongest = 300;
  std::string line(text.substr(0, kLongest));
  std::ranges::replace_if(line, [](unsigned char c) { return c < ' ' || c == 0x7F; }, ' ');
  return line;
}

std::string fill_in(std::string_view remedy, const FailedRequest& request) {
  std::string text(remedy);
  const auto replace = [&](std::string_view name, std::string_view value) {
    const size_t at = text.find(name);
    if (at != std::string::npos) text.replace(at, name.size(), value);
  };
  replace("{bucket}", request.bucket);
  replace("{region}", request.region);
  replace("{credentials}", request.credentials.empty() ? "this request" : request.credentials);
  return text;
}

std::optional<std::chrono::seconds> retry_after(const HttpResponse& response) {
  const auto text = find_header(response.headers, "retry-after");
  if (!text) return {};
  uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (error == std::errc() && end == text->data() + text->size()) {
    return std::chrono::seconds(seconds);
  }
  const auto until = parse_http_date(*text);
  const auto now = parse_http_date(find_header(response.headers, "date").value_or(""));
  if (!until || !now || *until < *now) return {};
  return std::chrono::ceil<std::chrono::seconds>(
      std::chrono::microseconds(until->micros - now->micros));
}

// The host that a redirect names.
std::string redirect_host(const HttpResponse& response, const ErrorDocument& document) {
  if (!document.endpoint.empty()) return document.endpoint;
  const auto location = find_header(response.headers, "location");
  if (!location) return {};
  const auto parts = split_url(*location);
  return parts.ok() ? std::string(parts->authority) : std::string();
}

void add_repair(Failure& failure, const HttpResponse& response, const ErrorDocument& document) {
  const std::string& code = document.code;
  if (code == "ExpiredToken" || code == "InvalidToken" || code == "TokenRefreshRequired" ||
      code == "InvalidAccessKeyId") {
    failure.repair = Repair::kCredentials;
    return;
  }
  if (code == "RequestTimeTooSkewed") {
    failure.server_time = document.server_time;
    if (!failure.server_time) {
      failure.server_time = parse_http_date(find_header(response.headers, "date").value_or(""));
    }
    if (failure.server_time) failure.repair = Repair::kClock;
    return;
  }
  const bool redirected =
      response.status == 301 || response.status == 307 || response.status == 308;
  if (!redirected && code != "AuthorizationHeaderMalformed") return;
  failure.region = document.region;
  if (failure.region.empty()) {
    failure.region = find_header(response.headers, "x-amz-bucket-region").value_or("");
  }
  if (redirected) failure.host = redirect_host(response, document);
  failure.permanent = response.status != 307;
  if (!failure.region.empty() || !failure.host.empty()) failure.repair = Repair::kPlace;
}

}  // namespace

Error describe_error(const FailedRequest& request, int status, const ErrorDocument& document) {
  const Meaning meaning = meaning_of(request, status, document.code);
  std::string message = fmt::format("{} s3://{}{}{}: ", request.method, request.bucket,
                                    request.key.empty() ? "" : "/", request.key);
  message += document.message.empty() ? "refused" : one_line(document.message);
  std::vector<std::string> details;
  if (!document.code.empty()) details.push_back(one_line(document.code));
  if (status != 0) details.push_back(fmt::format("HTTP {}", status));
  if (!document.request_id.empty()) {
    details.push_back(fmt::format("request {}", one_line(document.request_id)));
  }
  message += fmt::format(" ({})", fmt::join(details, ", "));
  if (!meaning.remedy.empty()) message += ": " + fill_in(meaning.remedy, request);
  return {meaning.code, std::move(message)};
}

Failure describe_failure(const FailedRequest& request, const HttpResponse& response) {
  ErrorDocument document;
  auto parsed = parse_error_document(response.body);
  // Proxies answer with pages of their own: the status has to do.
  if (parsed.ok()) document = std::move(*parsed);
  if (document.request_id.empty()) {
    document.request_id = find_header(response.headers, "x-amz-request-id").value_or("");
  }
  Failure failure{.error = describe_error(request, response.status, document),
                  .status = response.status,
                  .code = document.code};
  if (const auto delay = retry_after(response)) failure.error.set_retry_after(*delay);
  add_repair(failure, response, document);
  return failure;
}

}  // namespace varve::s3
