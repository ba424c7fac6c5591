// What the loop of the sync engine does, without the loop: a turn settles what has finished, starts
// what may start, and reports the states that have changed. Who takes the turns, and waits between
// them, is another's business: a thread (sync_loop.h), or a simulation.
//
// Nothing is persisted here: what was queued when a process ends follows again from comparing the
// work directory with the remote storage at the next start.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "base/metrics.h"
#include "runtime/call_options.h"
#include "storage_sync/sync_executor.h"
#include "storage_sync/sync_metrics.h"
#include "storage_sync/sync_queue.h"
#include "storage_sync/sync_state.h"

namespace varve {

// Does what a task asks for. Thread-safe; two tasks of one timeline never run at a time.
class SyncTaskRunner {
 public:
  virtual ~SyncTaskRunner() = default;
  // Gives where local and remote state agree now. Returns soon after a stop was requested, leaving
  // nothing half-written that would be taken for whole.
  virtual Result<Checkpoint> run(const SyncTask& task, const CallOptions& options) = 0;
};

enum class ScheduleOutcome {
  kScheduled,    // It will be done, alone or together with what is scheduled already.
  kNothingToDo,  // It is done already.
  kEvicted,      // Dropped: the timeline is evicted until its tenant is attached again.
  kNotRunning,   // Dropped: nothing is taken yet, or any more.
};

// Thread-safe, but for turn(): one at a time.
class SyncDriver {
 public:
  struct Options {
    SyncQueueOptions queue = {};
    // What runs when it is closed may finish for so long before it is told to stop.
    Duration shutdown_timeout = std::chrono::seconds(30);
  };
  // They outlive the driver.
  struct Parts {
    SyncTaskRunner& runner;
    SyncExecutor& executor;
    SyncObserver& observer;
    Metrics& metrics;
    Clock& clock;
    Random& random;
  };
  SyncDriver(Options options, const Parts& parts);

  // From now on tasks are taken, once. The first turn reports `states`: how the timelines stand.
  void open(std::vector<TimelineSyncStatus> states);

  // Without waiting. What is dropped because nothing is taken is logged.
  ScheduleOutcome schedule(const SyncTask& task);

  // The tenant was attached: what was evicted may be scheduled again.
  void tenant_attached(const TenantId& tenant);

  // Drops what is queued for the timeline, and waits until nothing of it runs: its files may go
  // then. Not from the thread of a task.
  void forget(const TenantTimelineId& timeline);

  // Nothing more is taken, and nothing starts. Returns false when it was closed or never open.
  bool close();

  struct Turn {
    // Until when there is nothing to do, unless `woken` is stopped before.
    Duration pause = Duration::max();
    std::stop_token woken;
    // It is closed, nothing runs, and everything was reported.
    bool last = false;
  };
  Turn turn();

 private:
  struct Finished {
    SyncTask task;
    Result<Checkpoint> result;
    Duration taken;
  };
  struct Settled {
    Finished finished;
    FinishOutcome outcome;
    std::optional<Lsn> remote_consistent_lsn;
  };
  struct Step {
    std::vector<TimelineSyncStatus> states_at_start;
    std::vector<Settled> settled;
    std::vector<SyncTask> starting;
    BootTime now{0};
    Turn turn;
  };

  Step next_step();
  void run(const SyncTask& task);
  void report(const Step& step);
  void update_gauges();

  const Options options_;
  const Parts parts_;
  SyncMetrics metrics_;
  // Stops what runs.
  std::stop_source tasks_stop_;

  std::mutex mutex_;
  // Everything below: under mutex_.
  SyncQueue queue_;
  std::vector<TimelineSyncStatus> states_at_start_;
  std::vector<Finished> finished_;
  // Told when something was settled.
  std::condition_variable settled_;
  // Ends the pause after the current turn.
  std::stop_source wake_;
  enum class Phase { kNew, kOpen, kClosed } phase_ = Phase::kNew;
  // When what runs is told to stop.
  std::optional<BootTime> patience_ends_;
};

}  // namespace varve
