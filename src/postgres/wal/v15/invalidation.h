// What other sessions must forget (src/include/storage/sinval.h, SharedInvalidationMessage). It
// concerns caches in memory only.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

namespace varve::wal15 {

struct Invalidation {
  static constexpr size_t kSize = 16;
  std::array<uint8_t, kSize> bytes{};

  // Not negative: the number of a catalog cache; else SHAREDINVAL*_ID.
  int8_t kind() const { return static_cast<int8_t>(bytes[0]); }

  static Invalidation load(const uint8_t* from) {
    Invalidation invalidation;
    std::memcpy(invalidation.bytes.data(), from, kSize);
    return invalidation;
  }
};

}  // namespace varve::wal15
