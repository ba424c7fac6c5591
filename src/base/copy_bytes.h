// Copying of bytes at the speed of memory.
#pragma once

#include <cassert>
#include <cstring>
#include <span>

#include "base/bytes.h"

namespace varve {

// To the front of `out`, which has room and does not overlap. std::ranges::copy of libstdc++ 12
// copies one by one where the source is constant.
inline void copy_bytes(ByteView bytes, std::span<uint8_t> out) {
  assert(bytes.size() <= out.size());
  // memcpy(3) takes no null pointer, not even for nothing.
  if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
}

}  // namespace varve
