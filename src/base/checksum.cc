#include "base/checksum.h"

#include <xxhash.h>

#include <array>

namespace varve {
namespace {

Checksum128 canonical(XXH128_hash_t hash) {
  XXH128_canonical_t text;
  XXH128_canonicalFromHash(&text, hash);
  Checksum128 result;
  std::memcpy(result.bytes.data(), text.digest, result.bytes.size());
  return result;
}

constexpr std::array<uint32_t, 256> make_crc32c_table() {
  constexpr uint32_t kReversedPolynomial = 0x82F63B78;
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReversedPolynomial : 0);
    table[i] = crc;
  }
  return table;
}

uint32_t crc32c_portable(ByteView bytes, uint32_t state) {
  static constexpr std::array<uint32_t, 256> kTable = make_crc32c_table();
  for (const uint8_t byte : bytes) state = kTable[(state ^ byte) & 0xFF] ^ (state >> 8);
  return state;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t crc32c_sse42(ByteView bytes, uint32_t state) {
  const uint8_t* at = bytes.data();
  size_t left = bytes.size();
  uint64_t wide = state;
  for (; left >= 8; at += 8, left -= 8) {
    wide = __builtin_ia32_crc32di(wide, load_little<uint64_t>(at));
  }
  auto narrow = static_cast<uint32_t>(wide);
  for (; left > 0; ++at, --left) narrow = __builtin_ia32_crc32qi(narrow, *at);
  return narrow;
}
#endif

}  // namespace

uint64_t checksum64(ByteView bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

Checksum128 checksum128(ByteView bytes) {
  return canonical(XXH3_128bits(bytes.data(), bytes.size()));
}

struct Checksum128Stream::State {
  XXH3_state_t* xxh = XXH3_createState();
  State() { XXH3_128bits_reset(xxh); }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Checksum128Stream::Checksum128Stream() : state_(std::make_unique<State>()) {}
Checksum128Stream::Checksum128Stream(Checksum128Stream&&) noexcept = default;
Checksum128Stream& Checksum128Stream::operator=(Checksum128Stream&&) noexcept = default;
Checksum128Stream::~Checksum128Stream() = default;

void Checksum128Stream::update(ByteView bytes) {
  XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size());
}

Checksum128 Checksum128Stream::digest() const {
  return canonical(XXH3_128bits_digest(state_->xxh));
}

uint32_t crc32c(ByteView bytes, uint32_t crc) {
  const uint32_t state = ~crc;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return ~crc32c_sse42(bytes, state);
#endif
  return ~crc32c_portable(bytes, state);
}

}  // namespace varve
