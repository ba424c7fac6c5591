#include "remote_storage/s3/credentials_web_identity.h"

#include "remote_storage/s3/aws_settings.h"
#include "remote_storage/s3/credentials_request.h"
#include "remote_storage/s3/text_file.h"
#include "remote_storage/s3/uri.h"
#include "remote_storage/s3/xml.h"
#include "remote_storage/s3/xml_document.h"

namespace varve::s3 {
namespace {

constexpr Duration kTimeLimit = std::chrono::seconds(15);

// AWS General Reference, "AWS STS endpoints and quotas".
std::string sts_url(const AwsSettings& settings) {
  if (!settings.sts_endpoint.empty()) return settings.sts_endpoint;
  if (settings.region.empty()) return "https://sts.amazonaws.com/";
  const bool china = settings.region.starts_with("cn-");
  return fmt::format("https://sts.{}.amazonaws.com{}/", settings.region, china ? ".cn" : "");
}

std::string form(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  std::string body;
  for (const auto& [name, value] : fields) {
    if (!body.empty()) body += '&';
    body.append(name).append("=").append(uri_encode(value, Slash::kEncoded));
  }
  return body;
}

// AWS STS API reference, "AssumeRoleWithWebIdentity", Errors. The message of STS is not shown: it
// may repeat parts of the token.
Error refusal(const HttpResponse& response, const WebIdentity& identity) {
  const auto document = parse_error_document(response.body);
  if (!document.ok()) return check_status(response).error();
  const std::string& code = document->code;
  const std::string request =
      document->request_id.empty() ? "" : fmt::format(", request {}", document->request_id);
  const auto told = [&](ErrorCode as, std::string_view remedy) {
    return make_error(as, "{} (status {}{}){}{}", code.substr(0, 64), response.status, request,
                      remedy.empty() ? "" : ": ", remedy);
  };
  if (code == "AccessDenied") {
    return told(ErrorCode::kDenied, "let the role's trust policy allow the identity of the token");
  }
  if (code == "ExpiredTokenException") {
    return told(ErrorCode::kDenied,
                fmt::format("the token in {} has expired: its provider must renew it",
                            identity.token_file));
  }
  if (code == "InvalidIdentityToken" || code == "IDPRejectedClaim") {
    return told(ErrorCode::kDenied,
                fmt::format("the token in {} is not accepted: check its provider and audience",
                            identity.token_file));
  }
  if (code == "IDPCommunicationError") return told(ErrorCode::kUnavailable, "");
  if (code == "Throttling" || code == "ThrottlingException") return told(ErrorCode::kThrottled, "");
  return told(check_status(response).code(), "");
}

Result<Credentials> parse_role_credentials(ByteView body) {
  VARVE_ASSIGN(const XmlDocument document, XmlDocument::parse(body));
  VARVE_ASSIGN(const XmlElement root, document.root("AssumeRoleWithWebIdentityResponse"));
  VARVE_ASSIGN(const XmlElement result, root.get("AssumeRoleWithWebIdentityResult"));
  VARVE_ASSIGN(const XmlElement element, result.get("Credentials"));
  Credentials credentials;
  VARVE_ASSIGN(credentials.access_key_id, element.required_text("AccessKeyId"));
  VARVE_ASSIGN(credentials.secret_access_key, element.required_text("SecretAccessKey"));
  VARVE_ASSIGN(credentials.session_token, element.required_text("SessionToken"));
  VARVE_ASSIGN(credentials.expires_at, element.time("Expiration"));
  return checked(std::move(credentials), {.access_key_id = "AccessKeyId",
                                          .secret_access_key = "SecretAccessKey",
                                          .session_token = "SessionToken"});
}

Result<Credentials> ask_sts(const std::string& url, const WebIdentity& identity,
                            const CredentialsOptions& credentials, const CallOptions& options) {
  VARVE_ASSIGN(const std::string token, read_token_file(identity.token_file));
  const std::string body = form({{"Action", "AssumeRoleWithWebIdentity"},
                                 {"Version", "2011-06-15"},
                                 {"RoleArn", identity.role_arn},
                                 {"RoleSessionName", identity.session_name},
                                 {"WebIdentityToken", token}});
  VARVE_ASSIGN(const HttpResponse response,
               ask(credentials,
                   {.method = "POST",
                    .url = url,
                    .headers = {{"content-type", "application/x-www-form-urlencoded"}},
                    .body = as_bytes(body)},
                   kTimeLimit, options));
  if (!check_status(response).ok()) return refusal(response, identity);
  return parse_role_credentials(response.body);
}

}  // namespace

Result<Credentials> assume_role(const WebIdentity& identity, const CredentialsOptions& credentials,
                                const CallOptions& options) {
  VARVE_ASSIGN(const AwsSettings settings,
               aws_settings(credentials.environment, credentials.profile));
  const std::string url = sts_url(settings);
  VARVE_ASSIGN(const UrlParts parts, split_url(url));
  return ask_sts(url, identity, credentials, options)
      .context(fmt::format("credentials of {} from {}", identity.role_arn, parts.authority));
}

Result<FetchedCredentials> WebIdentityCredentials::fetch(const CallOptions& options) {
  const auto token_file = value_of(options_.environment, "AWS_WEB_IDENTITY_TOKEN_FILE");
  if (!token_file) return FetchedCredentials::none("AWS_WEB_IDENTITY_TOKEN_FILE is not set");
  const auto role_arn = value_of(options_.environment, "AWS_ROLE_ARN");
  if (!role_arn) {
    return make_error(
        ErrorCode::kDenied,
        "AWS_WEB_IDENTITY_TOKEN_FILE is set, but not AWS_ROLE_ARN: set it to the role "
        "that the token is for");
  }
  WebIdentity identity{.token_file = *token_file, .role_arn = *role_arn};
  if (auto name = value_of(options_.environment, "AWS_ROLE_SESSION_NAME")) {
    identity.session_name = std::move(*name);
  }
  VARVE_ASSIGN(Credentials credentials, assume_role(identity, options_, options));
  return FetchedCredentials{
      .credentials = std::move(credentials),
      .source = fmt::format("role {} for the token in {}", *role_arn, *token_file)};
}

}  // namespace varve::s3
