#include "remote_storage/s3/credentials_container.h"

#include <arpa/inet.h>

#include <algorithm>

#include "remote_storage/s3/credentials_request.h"
#include "remote_storage/s3/text_file.h"
#include "remote_storage/s3/uri.h"

namespace varve::s3 {
namespace {

constexpr Duration kTimeLimit = std::chrono::seconds(5);

// Of this machine or its own network: keys may be asked for without TLS.
bool is_near(const std::string& host) {
  if (host == "localhost") return true;
  if (in_addr v4{}; inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    const uint32_t address = ntohl(v4.s_addr);
    return address >> 24 == 127 || host == "169.254.170.2" || host == "169.254.170.23";
  }
  in6_addr v6{};
  in6_addr eks{};
  inet_pton(AF_INET6, "fd00:ec2::23", &eks);
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 &&
         (IN6_IS_ADDR_LOOPBACK(&v6) || IN6_ARE_ADDR_EQUAL(&v6, &eks));
}

// Where to ask; none when neither variable is set.
Result<std::optional<std::string>> container_url(const EnvironmentVariables& environment) {
  if (const auto path = value_of(environment, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")) {
    if (path->starts_with('/')) return "http://169.254.170.2" + *path;
    return make_error(ErrorCode::kInvalidArgument,
                      "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must begin with a '/'");
  }
  const auto url = value_of(environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (!url) return std::nullopt;
  const auto parts = split_url(*url);
  VARVE_TRY(Result<UrlParts>(parts).context("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
  if (parts->scheme == "https" || is_near(std::string(parts->host()))) return *url;
  return make_error(ErrorCode::kInvalidArgument,
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI points to {} without TLS: use https, or a "
                    "loopback address, 169.254.170.2, 169.254.170.23 or [fd00:ec2::23]",
                    parts->host());
}

}  // namespace

Result<std::optional<std::string>> ContainerCredentials::authorization() const {
  if (const auto file = value_of(options_.environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) {
    VARVE_ASSIGN(std::string token, read_token_file(*file));
    return token;
  }
  auto token = value_of(options_.environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (token && std::ranges::any_of(*token, [](unsigned char c) { return c < 0x20 || c >= 0x7f; })) {
    return make_error(ErrorCode::kInvalidArgument,
                      "AWS_CONTAINER_AUTHORIZATION_TOKEN contains a character that no header can "
                      "carry");
  }
  return token;
}

Result<FetchedCredentials> ContainerCredentials::fetch(const CallOptions& options) {
  VARVE_ASSIGN(const auto url, container_url(options_.environment));
  if (!url) {
    return FetchedCredentials::none(
        "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is "
        "set");
  }
  VARVE_ASSIGN(const UrlParts parts, split_url(*url));
  const std::string source = fmt::format("the container service at {}", parts.authority);
  const auto fetch_keys = [&]() -> Result<Credentials> {
    HttpRequest request{.url = *url,
                        .headers = {{"accept", "application/json"}},
                        .bypass_proxy = is_near(std::string(parts.host()))};
    VARVE_ASSIGN(auto token, authorization());
    if (token) request.headers.emplace_back("authorization", std::move(*token));
    VARVE_ASSIGN(const HttpResponse response, ask(options_, request, kTimeLimit, options));
    VARVE_TRY(check_status(response));
    return parse_credentials_json(response.body);
  };
  VARVE_ASSIGN(Credentials credentials,
               fetch_keys().context(fmt::format("credentials from {}", source)));
  return FetchedCredentials{.credentials = std::move(credentials), .source = source};
}

}  // namespace varve::s3
