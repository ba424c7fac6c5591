// The page key: what every version in a layer is filed under.
//
// 18 bytes, compared as unsigned bytes. To this module they are opaque; what each stands for is
// decided by postgres/key_space.h. The last four bytes count big-endian, so that neighbouring
// blocks of a relation are neighbouring keys.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace varve {

struct Key {
  static constexpr size_t kSize = 18;
  std::array<uint8_t, kSize> bytes{};

  auto operator<=>(const Key&) const = default;

  static constexpr Key min() { return {}; }
  // No key that is ever stored; the exclusive end of a range that holds every key.
  static constexpr Key max() {
    Key key;
    key.bytes.fill(0xFF);
    return key;
  }

  // The smallest key above this one; max() stays max().
  Key next() const;

  // 36 lower-case hex digits.
  std::string to_string() const;
  // Exactly what to_string gives; InvalidArgument otherwise.
  static Result<Key> parse(std::string_view text);
};

// Keys from `start` on and below `end`.
struct KeyRange {
  Key start;
  Key end;

  static constexpr KeyRange all() { return {Key::min(), Key::max()}; }
  bool contains(const Key& key) const { return start <= key && key < end; }
  bool overlaps(const KeyRange& other) const { return start < other.end && other.start < end; }
  bool empty() const { return !(start < end); }
  auto operator<=>(const KeyRange&) const = default;
};

}  // namespace varve

template <>
struct fmt::formatter<varve::Key> : fmt::formatter<std::string> {
  auto format(const varve::Key& key, fmt::format_context& ctx) const {
    return fmt::formatter<std::string>::format(key.to_string(), ctx);
  }
};
