// What fuzz targets claim of whatever they are given.
#pragma once

#include <cstdlib>

#include "base/bytes.h"
#include "base/checksum.h"

namespace varve {

// A claim that does not hold ends the process, which the fuzzer takes for a crash.
inline void expect(bool holds) {
  if (!holds) std::abort();
}

// What can be read can be written, and is then read as the same.
template <typename Decoded>
void expect_same_again(ByteView bytes) {
  const auto decoded = Decoded::decode(bytes);
  if (!decoded.ok()) return;
  const auto again = Decoded::decode(decoded->encode());
  expect(again.ok());
  expect(again->encode() == decoded->encode());
}

// Once as it came, and once with the right checksum of what lies before it, so that the fuzzer gets
// past it.
template <typename Look>
void with_right_checksum(ByteView bytes, size_t checksum_at, Look look) {
  look(bytes);
  if (bytes.size() < checksum_at + sizeof(uint64_t)) return;
  Bytes repaired(bytes.begin(), bytes.end());
  store_little(repaired.data() + checksum_at, checksum64(bytes.first(checksum_at)));
  look(ByteView(repaired));
}

}  // namespace varve
