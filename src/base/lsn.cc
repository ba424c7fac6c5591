#include "base/lsn.h"

#include <charconv>

namespace varve {
namespace {

bool parse_half(std::string_view text, uint32_t& out) {
  if (text.empty() || text.size() > 8) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, 16);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::string Lsn::to_string() const {
  return fmt::format("{:X}/{:X}", value >> 32, value & 0xFFFFFFFFU);
}

Result<Lsn> Lsn::parse(std::string_view text) {
  const size_t slash = text.find('/');
  uint32_t high = 0;
  uint32_t low = 0;
  if (slash == std::string_view::npos || !parse_half(text.substr(0, slash), high) ||
      !parse_half(text.substr(slash + 1), low)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' is not an LSN: expected two hexadecimal numbers such as 0/16B9188",
                      text);
  }
  return Lsn{(uint64_t{high} << 32) | low};
}

}  // namespace varve
