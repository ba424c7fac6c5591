#include "server/http/parameters.h"

namespace varve::http {
namespace {

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<uint64_t> parse_count(std::string_view name, std::string_view text) {
  const auto value = parse_number<uint64_t>(text);
  if (value) return *value;
  return make_error(ErrorCode::kInvalidArgument, "'{}' is not a number", name);
}

Result<std::string> required_parameter(const Request& request, const std::string& name) {
  const auto found = request.query.find(name);
  if (found != request.query.end()) return found->second;
  return make_error(ErrorCode::kInvalidArgument, "the query lacks '{}'", name);
}

Result<uint64_t> required_count(const Request& request, const std::string& name) {
  VARVE_ASSIGN(const std::string text, required_parameter(request, name));
  return parse_count(name, text);
}

Result<Key> key_parameter(const Request& request, const std::string& name, const Key& otherwise) {
  const auto found = request.query.find(name);
  if (found == request.query.end()) return otherwise;
  return Key::parse(found->second);
}

Result<Duration> seconds_parameter(const Request& request, const std::string& name,
                                   Duration longest) {
  const auto found = request.query.find(name);
  if (found == request.query.end()) return longest;
  using Seconds = std::chrono::duration<double>;
  const auto value = parse_number<double>(found->second);
  if (!value || !(*value >= 0 && *value <= Seconds(longest).count())) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' must be from 0 to {} seconds", name,
                      Seconds(longest).count());
  }
  return std::chrono::duration_cast<Duration>(Seconds(*value));
}

}  // namespace varve::http
