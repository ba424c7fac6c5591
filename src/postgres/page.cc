#include "postgres/page.h"

#include <fmt/format.h>

namespace varve {
namespace {

// Offsets in PageHeaderData.
constexpr size_t kChecksum = 8;
constexpr size_t kFlags = 10;
constexpr size_t kLower = 12;
constexpr size_t kUpper = 14;
constexpr size_t kSpecial = 16;
constexpr uint16_t kValidFlags = 0x0007;  // PD_VALID_FLAG_BITS

uint16_t half_at(ByteView page, size_t offset) {
  return load_little<uint16_t>(&page[offset]);
}

// The checksum treats a page as rows of 32 little-endian words and hashes each column on its own,
// with a variant of FNV-1a that also folds the high bits down. Columns are worked on as vectors, so
// that the hot loop uses the widest registers whatever the optimiser is told.
using Lanes [[gnu::vector_size(32)]] = uint32_t;
constexpr size_t kLanesPerVector = sizeof(Lanes) / sizeof(uint32_t);
constexpr size_t kColumns = 32;
constexpr size_t kRows = kBlockSize / (kColumns * sizeof(uint32_t));
constexpr uint32_t kFnvPrime = 16777619;

// checksumBaseOffsets.
constexpr std::array<uint32_t, kColumns> kStart = {
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756};

// Vectors are handed over by reference or address: by value, their calling convention depends on
// the instruction set.
[[gnu::always_inline]] inline void load(Lanes& lanes, const void* from) {
  std::memcpy(&lanes, from, sizeof lanes);
}

[[gnu::always_inline]] inline void mix(Lanes& sum, const Lanes& value) {
  const Lanes mixed = sum ^ value;
  sum = (mixed * kFnvPrime) ^ (mixed >> 17);
}

[[gnu::always_inline]] inline void mix_at(Lanes& sum, const uint8_t* at) {
  Lanes value;
  load(value, at);
  mix(sum, value);
}

[[gnu::always_inline]] inline uint32_t hash_page_inline(const uint8_t* page) {
  // The stored checksum is taken for zero.
  std::array<uint8_t, kColumns * sizeof(uint32_t)> row;
  std::memcpy(row.data(), page, row.size());
  store_little(&row[kChecksum], uint16_t{0});

  // Four sums with names, not an array: GCC keeps an array in memory, at half the speed.
  constexpr size_t kStep = sizeof(Lanes);
  static_assert(row.size() == 4 * kStep);
  Lanes a, b, c, d;
  load(a, &kStart[0 * kLanesPerVector]);
  load(b, &kStart[1 * kLanesPerVector]);
  load(c, &kStart[2 * kLanesPerVector]);
  load(d, &kStart[3 * kLanesPerVector]);
  const uint8_t* at = row.data();
  for (size_t i = 0; i < kRows; ++i) {
    mix_at(a, at);
    mix_at(b, at + kStep);
    mix_at(c, at + 2 * kStep);
    mix_at(d, at + 3 * kStep);
    at = page + (i + 1) * row.size();
  }
  const Lanes zeros = {};
  for (int round = 0; round < 2; ++round) {
    mix(a, zeros);
    mix(b, zeros);
    mix(c, zeros);
    mix(d, zeros);
  }
  const Lanes folded = a ^ b ^ c ^ d;
  uint32_t result = 0;
  for (size_t i = 0; i < kLanesPerVector; ++i) result ^= folded[i];
  return result;
}

uint32_t hash_page_portable(const uint8_t* page) {
  return hash_page_inline(page);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] uint32_t hash_page_avx2(const uint8_t* page) {
  return hash_page_inline(page);
}
#endif

uint32_t hash_page(const uint8_t* page) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return hash_page_avx2(page);
#endif
  return hash_page_portable(page);
}

bool is_all_zeros(ByteView page) {
  return page[0] == 0 && std::memcmp(page.data(), page.data() + 1, page.size() - 1) == 0;
}

}  // namespace

Lsn page_lsn(ByteView page) {
  // PageXLogRecPtr: the high half first, each half little-endian.
  return {uint64_t{load_little<uint32_t>(page.data())} << 32 |
          load_little<uint32_t>(page.data() + 4)};
}

void set_page_lsn(std::span<uint8_t> page, Lsn lsn) {
  store_little(page.data(), static_cast<uint32_t>(lsn.value >> 32));
  store_little(page.data() + 4, static_cast<uint32_t>(lsn.value));
}

bool page_is_new(ByteView page) {
  return half_at(page, kUpper) == 0;
}

uint16_t page_lower(ByteView page) {
  return half_at(page, kLower);
}

uint16_t stored_page_checksum(ByteView page) {
  return half_at(page, kChecksum);
}

uint16_t page_checksum(ByteView page, uint32_t block) {
  return static_cast<uint16_t>((hash_page(page.data()) ^ block) % 65535 + 1);
}

void set_page_checksum(std::span<uint8_t> page, uint32_t block) {
  if (page_is_new(page)) return;
  store_little(&page[kChecksum], page_checksum(page, block));
}

std::optional<std::string> page_defect(ByteView page, uint32_t block, PageChecksums checksums) {
  if (page_is_new(page)) {
    if (is_all_zeros(page)) return {};
    return "its header is empty but the page is not";
  }
  if (checksums == PageChecksums::kEnabled) {
    const uint16_t stored = stored_page_checksum(page);
    const uint16_t computed = page_checksum(page, block);
    if (stored != computed) {
      return fmt::format("its checksum is {:04x}, computed {:04x}", stored, computed);
    }
  }
  const uint16_t lower = page_lower(page);
  const uint16_t upper = half_at(page, kUpper);
  const uint16_t special = half_at(page, kSpecial);
  if ((half_at(page, kFlags) & ~kValidFlags) != 0 || lower < kPageHeaderSize || lower > upper ||
      upper > special || special > kBlockSize || special != align_maximally(special)) {
    return fmt::format("its header is invalid (lower {}, upper {}, special {})", lower, upper,
                       special);
  }
  return {};
}

}  // namespace varve
