#include "remote_storage/remote_storage.h"

namespace varve {
namespace {

// The length of the well-formed UTF-8 sequence at the start of `text`, or 0. Table 3-7 of the
// Unicode standard: neither overlong forms nor surrogates nor values above U+10FFFF.
size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](size_t at) {
    return at < text.size() ? static_cast<uint8_t>(text[at]) : uint8_t{0};
  };
  const auto continues = [&](size_t at) { return (byte(at) & 0xC0) == 0x80; };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return continues(1) ? 2 : 0;
  if (lead < 0xF0) {
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;
    if (lead == 0xED && byte(1) > 0x9F) return 0;
    return continues(1) && continues(2) ? 3 : 0;
  }
  if (lead == 0xF0 && byte(1) < 0x90) return 0;
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;
  return lead < 0xF5 && continues(1) && continues(2) && continues(3) ? 4 : 0;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = utf8_sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

Result<> check_object_key(std::string_view key) {
  // S3 User Guide, "Naming Amazon S3 objects": at most 1,024 bytes of UTF-8.
  constexpr size_t kMaximumKeySize = 1024;
  if (key.empty())
    return make_error(ErrorCode::kInvalidArgument, "an object key must not be empty");
  if (key.size() > kMaximumKeySize) {
    return make_error(ErrorCode::kInvalidArgument,
                      "object key '{}...' has {} bytes: {} are allowed at most", key.substr(0, 64),
                      key.size(), kMaximumKeySize);
  }
  if (!is_utf8(key)) {
    return make_error(ErrorCode::kInvalidArgument, "object key {} (hex) is not valid UTF-8",
                      hex_encode(as_bytes(key)));
  }
  if (key.find('\0') != std::string_view::npos) {
    return make_error(ErrorCode::kInvalidArgument, "object key {} (hex) contains a NUL",
                      hex_encode(as_bytes(key)));
  }
  for (size_t start = 0; start <= key.size();) {
    const size_t end = std::min(key.find('/', start), key.size());
    const std::string_view component = key.substr(start, end - start);
    if (component.empty() || component == "." || component == "..") {
      return make_error(ErrorCode::kInvalidArgument,
                        "'{}' is not an object key: a component is empty, '.' or '..'", key);
    }
    start = end + 1;
  }
  return {};
}

}  // namespace varve
