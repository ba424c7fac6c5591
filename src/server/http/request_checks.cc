#include "server/http/request_checks.h"

#include "server/http/problem.h"
#include "server/http/token.h"
#include "server/listen_address.h"

namespace varve::http {
namespace {

// An address, not a name that anybody may have made: "127.0.0.1:9898", "[::1]", "localhost".
bool names_an_address(const std::string& host) {
  return ListenAddress::parse(host).ok() || ListenAddress::parse(host + ":80").ok();
}

}  // namespace

std::optional<Answer> refuse(const Route& route, const RequestHead& head,
                             const Security& security) {
  if (security.token.empty()) {
    if (!security.is_tls && !names_an_address(head.host)) {
      return problem(make_error(ErrorCode::kDenied,
                                "without a token this server answers only to its address or "
                                "localhost, not to the host '{}'",
                                head.host));
    }
  } else if (route.access == Access::kAuthenticated &&
             !authorizes(head.authorization, security.token)) {
    return problem(401, make_error(ErrorCode::kDenied,
                                   "the request does not have the token that this server asks for: "
                                   "send 'Authorization: Bearer TOKEN'"));
  }
  const std::string type = head.content_type.substr(0, head.content_type.find_first_of("; "));
  if (route.method == "POST" && type != route.body.type) {
    return problem(415, make_error(ErrorCode::kInvalidArgument,
                                   "the request must have 'Content-Type: {}'", route.body.type));
  }
  if (!head.content_encoding.empty()) {
    return problem(415, make_error(ErrorCode::kInvalidArgument,
                                   "a body may not be compressed: leave out Content-Encoding"));
  }
  return std::nullopt;
}

}  // namespace varve::http
