#include "remote_storage/s3/credentials_instance.h"

#include <algorithm>

#include "remote_storage/s3/credentials_request.h"
#include "remote_storage/s3/uri.h"

namespace varve::s3 {
namespace {

// The default of the AWS SDKs.
constexpr Duration kTimeLimit = std::chrono::seconds(1);

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return text;
}

// IAM User Guide, "IAM and AWS STS quotas": names of roles.
bool is_role_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](unsigned char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("_+=,.@-").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

// The first line of an answer.
std::string_view first_line(ByteView body) {
  const std::string_view text = as_text(body);
  return text.substr(0, text.find_first_of("\r\n"));
}

}  // namespace

Result<std::string> InstanceCredentials::endpoint() const {
  if (auto url = value_of(options_.environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT")) {
    while (url->ends_with('/')) url->pop_back();
    VARVE_TRY(split_url(*url).context("AWS_EC2_METADATA_SERVICE_ENDPOINT"));
    return *url;
  }
  const auto mode = value_of(options_.environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
  if (mode && lower_case(*mode) == "ipv6") return "http://[fd00:ec2::254]";
  return "http://169.254.169.254";
}

Result<HttpResponse> InstanceCredentials::read(const std::string& url, const std::string& token,
                                               const CallOptions& options) const {
  return ask(options_,
             {.url = url, .headers = {{"x-aws-ec2-metadata-token", token}}, .bypass_proxy = true},
             kTimeLimit, options);
}

Result<FetchedCredentials> InstanceCredentials::fetch_role(const std::string& endpoint,
                                                           const std::string& token,
                                                           const CallOptions& options) const {
  const std::string roles = endpoint + "/latest/meta-data/iam/security-credentials/";
  VARVE_ASSIGN(const HttpResponse list, read(roles, token, options));
  if (list.status == 404) return FetchedCredentials::none("this instance has no role");
  VARVE_TRY(check_status(list));
  const std::string role(first_line(list.body));
  if (!is_role_name(role)) {
    return make_error(ErrorCode::kCorrupted, "what it answers is not the name of a role");
  }
  VARVE_ASSIGN(const HttpResponse answer, read(roles + role, token, options));
  VARVE_TRY(check_status(answer));
  FetchedCredentials fetched{.source = fmt::format("role {} of this instance", role)};
  VARVE_ASSIGN(fetched.credentials, parse_credentials_json(answer.body).context(fetched.source));
  return fetched;
}

Result<FetchedCredentials> InstanceCredentials::fetch(const CallOptions& options) {
  const auto disabled = value_of(options_.environment, "AWS_EC2_METADATA_DISABLED");
  if (disabled && lower_case(*disabled) == "true") {
    return FetchedCredentials::none(
        "the instance metadata service is not asked (AWS_EC2_METADATA_DISABLED)");
  }
  VARVE_ASSIGN(const std::string url, endpoint());
  const auto token = ask(options_,
                         {.method = "PUT",
                          .url = url + "/latest/api/token",
                          .headers = {{"x-aws-ec2-metadata-token-ttl-seconds", "300"}},
                          .bypass_proxy = true},
                         kTimeLimit, options);
  VARVE_ASSIGN(const UrlParts parts, split_url(url));
  const std::string service = fmt::format("the instance metadata service at {}", parts.authority);
  if (token.failed_with(ErrorCode::kUnavailable) && !answered_) {
    return FetchedCredentials::none(
        fmt::format("{} does not answer: {}", service, token.error().message()));
  }
  VARVE_TRY(Result<HttpResponse>(token).context(service));
  VARVE_TRY(check_status(*token).context(service));
  answered_ = true;
  return fetch_role(url, std::string(first_line(token->body)), options).context(service);
}

}  // namespace varve::s3
