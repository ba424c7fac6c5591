#include "postgres/relation_file_name.h"

#include <fmt/format.h>

#include <charconv>

namespace varve {
namespace {

constexpr std::string_view suffix_of(RelationFork fork) {
  switch (fork) {
    case RelationFork::kMain:
      return "";
    case RelationFork::kFreeSpaceMap:
      return "_fsm";
    case RelationFork::kVisibilityMap:
      return "_vm";
    case RelationFork::kInit:
      return "_init";
  }
  return "";
}

// Block numbers have 32 bits, so no relation has more segments.
constexpr uint32_t kMaximumSegment = UINT32_MAX / kBlocksPerSegment;

std::string_view take_digits(std::string_view& text) {
  size_t count = 0;
  while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

}  // namespace

std::optional<uint32_t> parse_oid(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  if (value != 0 && text.front() == '0') return {};
  if (value == 0 && text.size() != 1) return {};
  return value;
}

std::string RelationFileName::to_string() const {
  std::string text;
  if (backend) text = fmt::format("t{}_", *backend);
  fmt::format_to(std::back_inserter(text), "{}{}", relation, suffix_of(fork));
  if (segment != 0) fmt::format_to(std::back_inserter(text), ".{}", segment);
  return text;
}

std::optional<RelationFileName> RelationFileName::parse(std::string_view text) {
  RelationFileName file;
  if (text.starts_with('t')) {
    text.remove_prefix(1);
    file.backend = parse_oid(take_digits(text));
    if (!file.backend || !text.starts_with('_')) return {};
    text.remove_prefix(1);
  }
  const std::optional<uint32_t> relation = parse_oid(take_digits(text));
  if (!relation || *relation == 0) return {};
  file.relation = *relation;
  for (const auto fork :
       {RelationFork::kFreeSpaceMap, RelationFork::kVisibilityMap, RelationFork::kInit}) {
    if (!text.starts_with(suffix_of(fork))) continue;
    file.fork = fork;
    text.remove_prefix(suffix_of(fork).size());
    break;
  }
  if (text.empty()) return file;
  if (!text.starts_with('.')) return {};
  const std::optional<uint32_t> segment = parse_oid(text.substr(1));
  if (!segment || *segment == 0 || *segment > kMaximumSegment) return {};
  file.segment = *segment;
  return file;
}

}  // namespace varve
