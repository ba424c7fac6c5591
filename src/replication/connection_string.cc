#include "replication/connection_string.h"

#include <libpq-fe.h>

#include <memory>

namespace varve {
namespace {

// libpq's words without what they quote. Quoted text may contain quotes itself: everything up to
// the last one is left out.
std::string without_quoted(std::string_view message) {
  constexpr std::string_view kEqualSign = "\"=\"";
  while (message.ends_with('\n')) message.remove_suffix(1);
  size_t from = message.find('"');
  if (from != std::string_view::npos && message.substr(from).starts_with(kEqualSign)) {
    from = message.find('"', from + kEqualSign.size());
  }
  if (from == std::string_view::npos) return std::string(message);
  const size_t to = message.rfind('"');
  return fmt::format("{}\"...\"{}", message.substr(0, from), message.substr(to + 1));
}

}  // namespace

Result<ConnectionParameters> parse_connection_string(const std::string& text) {
  if (text.find('\0') != std::string::npos) {
    return make_error(ErrorCode::kInvalidArgument, "the connection string has a zero byte");
  }
  char* raw_message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(text.c_str(), &raw_message), &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> message(raw_message, &PQfreemem);
  if (options == nullptr) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the connection string can't be read: {} (expected postgresql://... or "
                      "keyword=value with blanks between, values with blanks in single quotes)",
                      without_quoted(message != nullptr ? message.get() : "out of memory"));
  }
  ConnectionParameters parameters;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) parameters.emplace_back(option->keyword, option->val);
  }
  return parameters;
}

}  // namespace varve
