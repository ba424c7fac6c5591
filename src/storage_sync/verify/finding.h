// What a check of a remote storage found: what it is, where, how bad, and what to do about it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "remote_storage/remote_storage.h"
#include "storage_sync/object_name.h"

namespace varve {

enum class FindingKind {
  kCorrupt,     // Bytes are not what was written.
  kMissing,     // Something refers to what is not there.
  kOrphan,      // Nothing refers to it: it costs space and harms nothing.
  kForeign,     // A key that is none of ours.
  kUnfinished,  // An upload in parts that nobody will end: it costs space and harms nothing.
};

// "corrupt", "missing", "orphan", "foreign", "unfinished".
std::string_view name(FindingKind kind);
// Whether data is damaged or lost.
bool is_damage(FindingKind kind);

// The worst first.
enum class Severity {
  kDataLost,    // The newest state of a timeline or tenant cannot be had from this storage whole.
  kDataAtRisk,  // Something is damaged that the newest state does not need.
  kWaste,       // It only takes up space.
  kForeign,     // Not for this program to judge.
};

// "data_lost", "data_at_risk", "waste", "foreign".
std::string_view name(Severity severity);

// Neighbouring frames of a member.
struct FrameRun {
  uint64_t first = 0;  // Numbers, from 0; both are part of it.
  uint64_t last = 0;
  // Bytes of the layer file that they hold, the end exclusive.
  uint64_t layer_start = 0;
  uint64_t layer_end = 0;

  auto operator<=>(const FrameRun&) const = default;
};

// The order is that of reports: the worst first, then by place.
struct Finding {
  Severity severity = Severity::kForeign;
  std::string object;              // Its key, or the prefix of a log.
  std::string member;              // Empty: about the object as a whole.
  std::optional<FrameRun> frames;  // None: about the member as a whole.
  FindingKind kind = FindingKind::kForeign;
  std::string detail;
  std::string remedy;

  auto operator<=>(const Finding&) const = default;
};

// Whether the newest state of a log needs what was found damaged.
enum class Need { kByNewestState, kByHistoryAlone };

struct Place {
  LogName log;
  std::string object;
  std::string member = {};
  std::optional<FrameRun> frames = {};
};

// Findings with the remedy that fits their kind and place.
Finding corrupt(Need need, Place place, std::string detail);
Finding missing(Need need, Place place, std::string detail);
Finding orphan(Place place, std::string detail);
Finding foreign(std::string key);
Finding unfinished(const UnfinishedUpload& upload);

}  // namespace varve
