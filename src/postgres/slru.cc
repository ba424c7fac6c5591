#include "postgres/slru.h"

#include <fmt/format.h>

#include <charconv>

namespace varve {

std::string_view directory(Slru slru) {
  switch (slru) {
    case Slru::kTransactionStatus:
      return "pg_xact";
    case Slru::kMultixactOffsets:
      return "pg_multixact/offsets";
    case Slru::kMultixactMembers:
      return "pg_multixact/members";
    case Slru::kCommitTimestamps:
      return "pg_commit_ts";
  }
  return "unknown";
}

std::string slru_segment_name(uint32_t segment) {
  return fmt::format("{:04X}", segment);
}

std::optional<uint32_t> parse_slru_segment_name(std::string_view text) {
  if (text.size() < 4 || text.size() > 6) return {};
  uint32_t segment = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), segment, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  if (slru_segment_name(segment) != text) return {};
  return segment;
}

}  // namespace varve
