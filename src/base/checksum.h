// The checksums of the stored formats, and PostgreSQL's.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"

namespace varve {

// XXH3, 64 bits: frames, frame tables, manifests, small files.
uint64_t checksum64(ByteView bytes);

// XXH3, 128 bits, in XXH128_canonical byte order: whole files and the identity of objects.
struct Checksum128 {
  std::array<uint8_t, 16> bytes{};
  auto operator<=>(const Checksum128&) const = default;
  std::string to_string() const { return hex_encode(bytes); }
};
Checksum128 checksum128(ByteView bytes);

// The same over a stream. Not thread-safe.
class Checksum128Stream {
 public:
  Checksum128Stream();
  Checksum128Stream(Checksum128Stream&&) noexcept;
  Checksum128Stream& operator=(Checksum128Stream&&) noexcept;
  ~Checksum128Stream();

  void update(ByteView bytes);
  Checksum128 digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// CRC-32C (Castagnoli) as PostgreSQL computes it over pg_control and WAL records
// (src/include/port/pg_crc32c.h): initial value and final complement 0xFFFFFFFF. `crc` continues an
// earlier result: crc32c(b, crc32c(a)) == crc32c(a + b).
uint32_t crc32c(ByteView bytes, uint32_t crc = 0);

}  // namespace varve
