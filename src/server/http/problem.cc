#include "server/http/problem.h"

#include <array>

namespace varve::http {
namespace {

// Names: https://www.rfc-editor.org/rfc/rfc9110#section-15, and RFC 4918 for 507.
std::string_view title_of(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 429:
      return "Too Many Requests";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    default:
      return status < 500 ? "Bad Request" : "Internal Server Error";
  }
}

constexpr std::array kCodes{
    ErrorCode::kNotFound,  ErrorCode::kInvalidArgument, ErrorCode::kConflict,
    ErrorCode::kThrottled, ErrorCode::kUnavailable,     ErrorCode::kDenied,
    ErrorCode::kCorrupted, ErrorCode::kCancelled,       ErrorCode::kExhausted,
    ErrorCode::kInternal,
};

}  // namespace

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kInvalidArgument:
      return 400;
    case ErrorCode::kConflict:
      return 409;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kThrottled:
      return 429;
    case ErrorCode::kDenied:
      return 403;
    case ErrorCode::kCancelled:
      return 504;
    case ErrorCode::kExhausted:
      return 507;
    case ErrorCode::kCorrupted:
    case ErrorCode::kInternal:
      break;
  }
  return 500;
}

Answer problem(const Error& error) {
  return problem(status_of(error.code()), error);
}

Answer problem(int status, const Error& error) {
  // About the blank type the title is that of the status: RFC 9457, section 4.2.1.
  Answer answer = Answer::json({{"type", "about:blank"},
                                {"title", title_of(status)},
                                {"status", status},
                                {"detail", error.message()},
                                {"code", name(error.code())}},
                               status);
  answer.content_type = kProblemType;
  if (status == 429 || status == 503) answer.headers["Retry-After"] = "1";
  if (status == 401) answer.headers["WWW-Authenticate"] = "Bearer";
  return answer;
}

Error error_of(int status, const std::string& body) {
  constexpr bool kWithExceptions = false;
  const Json json = Json::parse(body, nullptr, kWithExceptions);
  const auto text = [&](const char* key) -> std::string {
    if (!json.is_object()) return {};
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const std::string code = text("code");
  for (const ErrorCode known : kCodes) {
    if (name(known) == code) return {known, text("detail")};
  }
  return {status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kInternal,
          fmt::format("the server answered with status {}", status)};
}

}  // namespace varve::http
