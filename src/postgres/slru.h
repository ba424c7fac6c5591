// SLRUs: the transaction logs that PostgreSQL keeps in fixed-size pages beside the relations
// (src/include/access/slru.h, src/backend/access/transam/slru.c).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace varve {

// Those that outlive a restart of the server. The numbers are stored in keys. pg_subtrans,
// pg_serial and pg_notify are left out: the server empties them when it starts.
enum class Slru : uint8_t {
  kTransactionStatus = 1,
  kMultixactOffsets = 2,
  kMultixactMembers = 3,
  kCommitTimestamps = 4,
};
inline constexpr std::array kSlrus = {Slru::kTransactionStatus, Slru::kMultixactOffsets,
                                      Slru::kMultixactMembers, Slru::kCommitTimestamps};

// SLRU_PAGES_PER_SEGMENT. A page is a block of kBlockSize bytes and has no header.
inline constexpr uint32_t kSlruPagesPerSegment = 32;

// Relative to the data directory: "pg_xact", "pg_multixact/offsets", ...
std::string_view directory(Slru slru);

// SlruFileName: at least four upper-case hex digits.
std::string slru_segment_name(uint32_t segment);

// Exactly the names of slru_segment_name, up to six digits; nothing for any other.
std::optional<uint32_t> parse_slru_segment_name(std::string_view text);

}  // namespace varve
