#include "layer/key.h"

namespace varve {

Key Key::next() const {
  Key key = *this;
  for (size_t i = kSize; i-- > 0;) {
    if (++key.bytes[i] != 0) return key;
  }
  return max();
}

std::string Key::to_string() const {
  return hex_encode(bytes);
}

Result<Key> Key::parse(std::string_view text) {
  Key key;
  if (!hex_decode(text, key.bytes) || text != key.to_string()) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' is not a key: expected 36 hex digits",
                      text);
  }
  return key;
}

}  // namespace varve
