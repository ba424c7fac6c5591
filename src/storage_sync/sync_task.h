// What can be asked of the sync engine.
#pragma once

#include <array>
#include <string_view>

#include "base/ids.h"
#include "base/lsn.h"

namespace varve {

// Each lane has its own limit and its own threads, so that what somebody waits for never queues
// behind what can wait.
enum class SyncLane {
  kUpload,
  kDownload,          // In the background: prefetch, or a timeline behind the remote.
  kDownloadOnDemand,  // Somebody waits for it.
};
inline constexpr size_t kSyncLaneCount = 3;

enum class SyncOperation { kUpload, kDownload };
inline constexpr size_t kSyncOperationCount = 2;

constexpr SyncOperation operation_of(SyncLane lane) {
  return lane == SyncLane::kUpload ? SyncOperation::kUpload : SyncOperation::kDownload;
}

// "upload", "download".
constexpr std::string_view name(SyncOperation operation) {
  return operation == SyncOperation::kUpload ? "upload" : "download";
}

// A state of a timeline, as far as it matters for what is remote; LocalManifest::checkpoint() gives
// it.
struct Checkpoint {
  Lsn disk_consistent_lsn;
  // Identifies the set of layers and what else may change while the LSN stands still; 0 where it is
  // not known.
  uint64_t content = 0;

  bool operator==(const Checkpoint&) const = default;

  // Nothing of `other` is missing here: it is not above, and has no other content.
  constexpr bool covers(const Checkpoint& other) const {
    return other.disk_consistent_lsn <= disk_consistent_lsn && other.content == content;
  }
};

struct SyncTask {
  TenantTimelineId timeline;
  SyncLane lane = SyncLane::kUpload;
  // Of an upload: what it has to reach. The state as it is when the task starts is uploaded, which
  // may be further.
  Checkpoint checkpoint = {};
  // Of a download: the commit of the timeline's log to bring here.
  uint64_t commit_sequence = 0;

  static SyncTask upload(const TenantTimelineId& timeline, const Checkpoint& checkpoint) {
    return {.timeline = timeline, .lane = SyncLane::kUpload, .checkpoint = checkpoint};
  }
  static SyncTask download(const TenantTimelineId& timeline, uint64_t commit_sequence,
                           SyncLane lane = SyncLane::kDownload) {
    return {.timeline = timeline, .lane = lane, .commit_sequence = commit_sequence};
  }

  bool operator==(const SyncTask&) const = default;
  SyncOperation operation() const { return operation_of(lane); }

  // With this one done there is nothing left to do for `other`, a task of the same timeline and
  // operation.
  bool covers(const SyncTask& other) const {
    return operation() == SyncOperation::kUpload ? checkpoint.covers(other.checkpoint)
                                                 : other.commit_sequence <= commit_sequence;
  }
};

}  // namespace varve
