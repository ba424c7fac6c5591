// What the sync engine may do next: a state machine without threads, clock or I/O.
//
// The rules:
//   - Of one timeline one task runs at a time, in whichever lane: an upload and a download both end
//     with replacing its metadata file. What is asked for meanwhile waits behind it.
//   - Of one timeline and operation one task is queued at most; what is asked for besides is merged
//     into it, and the higher LSN wins. A download that somebody begins to wait for changes lanes.
//   - Each lane has a limit of its own, and in it tenants, and the timelines of a tenant, take
//   turns.
//   - A task that failed is queued again after a pause that doubles with each failure. After a
//     number of failures of its own the timeline is evicted: nothing of it runs until its tenant is
//     attached again. A storage that is down as a whole is no failure of the timeline's own, and
//     where another server owns the tenant there is nothing to repeat: one Conflict evicts.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "runtime/backoff.h"
#include "storage_sync/round_robin.h"
#include "storage_sync/sync_task.h"

namespace varve {

struct SyncQueueOptions {
  // Tasks that run at a time (max_concurrent_sync), by lane.
  size_t concurrent_uploads = 8;
  size_t concurrent_downloads = 4;
  size_t concurrent_downloads_on_demand = 8;
  // After so many failures without a success between them a timeline is evicted; at least 1.
  int max_sync_errors = 10;
  BackoffOptions backoff = {};

  size_t concurrency(SyncLane lane) const;
};

enum class SubmitOutcome {
  kQueued,
  kMerged,       // A task that is queued or runs does it as well.
  kNothingToDo,  // It is done already.
  kEvicted,      // Refused: the timeline is evicted.
  kStopped,      // Refused: nothing new is taken.
};

struct FinishOutcome {
  enum class Kind {
    kDone,
    kFailed,   // Queued again, to start at `retry_at` at the earliest.
    kEvicted,  // Failed for the last time.
    kStopped,  // Failed, and it is not queued again: the queue has been stopped.
  };
  Kind kind = Kind::kDone;
  int failures = 0;  // Without a success between them.
  BootTime retry_at{0};
};

// Whether a failure speaks against the task; otherwise the storage as a whole does not serve, or
// the task was told to stop.
bool counts_against_task(ErrorCode code);

// Not thread-safe.
class SyncQueue {
 public:
  SyncQueue(SyncQueueOptions options, Random& random);

  SubmitOutcome submit(const SyncTask& task);

  // What starts now. Each task must be brought back by finish().
  std::vector<SyncTask> take(BootTime now);

  // `result`: where local and remote state of the timeline agree now, which for an upload covers
  // what the task was to reach.
  FinishOutcome finish(const SyncTask& task, const Result<Checkpoint>& result, BootTime now);

  // When take() may give more although nothing was submitted or finished meanwhile. Later than the
  // time of the last take().
  std::optional<BootTime> next_wakeup() const;

  // What is known to be remote from earlier, with unknown content.
  void note_remote(const TenantTimelineId& timeline, Lsn lsn);

  // The tenant was attached: its timelines are no longer evicted, their failures forgotten, and
  // nothing is taken to be remote.
  void reset(const TenantId& tenant);

  // Drops what is queued for the timeline; what runs may finish and is not repeated. Returns
  // whether something runs.
  bool remove(const TenantTimelineId& timeline);

  // For good: nothing starts any more, nothing is taken. What runs may finish.
  void stop();

  size_t length() const;  // Queued, without what runs.
  size_t running() const;
  size_t evicted() const { return evicted_; }
  // None when nothing is known to be remote.
  std::optional<Lsn> remote_consistent_lsn(const TenantTimelineId& timeline) const;

 private:
  struct Remote {
    Lsn lsn;
    std::optional<uint64_t> content;
  };
  // What is to be done for one operation of a timeline.
  struct Slot {
    std::optional<SyncTask> queued;
    int failures = 0;
    int counted_failures = 0;
    // Of the queued task, while it waits for the end of a pause.
    std::optional<BootTime> retry_at;
  };
  struct Timeline {
    std::array<Slot, kSyncOperationCount> slots = {};
    std::optional<SyncTask> running;
    std::optional<Remote> remote = {};
    bool evicted = false;
    // Forgotten once what runs has finished.
    bool removed = false;

    Slot& slot(SyncOperation operation) { return slots[static_cast<size_t>(operation)]; }
  };

  RoundRobin& ready(SyncLane lane) { return ready_[static_cast<size_t>(lane)]; }
  size_t& running(SyncLane lane) { return running_[static_cast<size_t>(lane)]; }
  void enqueue(Slot& slot, const SyncTask& task);
  void unqueue(Slot& slot);
  void end_pauses(BootTime now);
  void evict(Timeline& timeline);

  SyncQueueOptions options_;
  Random& random_;
  std::map<TenantTimelineId, Timeline> timelines_;
  std::array<RoundRobin, kSyncLaneCount> ready_;
  std::set<std::tuple<BootTime, TenantTimelineId, SyncOperation>> pausing_;
  std::array<size_t, kSyncLaneCount> running_{};
  size_t evicted_ = 0;
  bool stopped_ = false;
};

}  // namespace varve
