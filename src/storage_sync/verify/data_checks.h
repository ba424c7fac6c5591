// Checking the headers, frame tables and frames of objects, piece by piece, in any order.
#pragma once

#include <vector>

#include "storage_sync/verify/log_checks.h"
#include "storage_sync/verify/member_check.h"

namespace varve {

// A piece of work: members of one object, and perhaps its header.
struct DataCheck {
  ExaminedObject* object = nullptr;
  Need need = Need::kByHistoryAlone;  // Of any of it.
  bool with_header = false;
  struct Member {
    LayerEntry layer;
    Need need = Need::kByHistoryAlone;
  };
  std::vector<Member> members;
  // What lies close together is read at once, at most a frame's size of it; empty: each on its own.
  uint64_t window_start = 0;
  uint64_t window_end = 0;
};

// Every member of every object of the log once, however many manifests list it. Where an object
// does not say what it holds, what the newest commit says of it counts, so that the extent of the
// damage becomes known.
std::vector<DataCheck> plan_data_checks(const ExaminedLog& log, VerifyDepth depth);

struct DataCheckResult {
  uint64_t raw_bytes = 0;
  std::vector<Finding> findings;
};

// Fails only for reasons that say nothing about the object.
Result<DataCheckResult> run_data_check(RemoteStorage& storage, const DataCheck& check,
                                       VerifyDepth depth, const FrameProgress& progress,
                                       const CallOptions& options);

}  // namespace varve
