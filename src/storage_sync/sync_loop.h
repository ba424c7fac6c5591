// The background loop of the sync engine: one thread that decides what runs, and the threads of an
// executor that run it.
//
// A step of the loop: settle what has finished, start what may start, report the states that have
// changed, sleep until something is asked for or finishes or a pause ends. Nothing is persisted
// here: what was queued when a process ends follows again from comparing the work directory with
// the remote storage at the next start.
#pragma once

#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "runtime/call_options.h"
#include "storage_sync/sync_executor.h"
#include "storage_sync/sync_metrics.h"
#include "storage_sync/sync_queue.h"
#include "storage_sync/sync_state.h"

namespace varve {

// Does what a task asks for. Thread-safe; the loop never runs two tasks of one timeline at a time.
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
  kNotRunning,   // Dropped: no loop runs.
};

class SyncLoop {
 public:
  struct Options {
    SyncQueueOptions queue = {};
    // What runs at shutdown may finish for so long before it is told to stop.
    Duration shutdown_timeout = std::chrono::seconds(30);
  };
  // They outlive the loop.
  struct Parts {
    SyncTaskRunner& runner;
    SyncExecutor& executor;
    SyncObserver& observer;
    Metrics& metrics;
    Clock& clock;
    Random& random;
  };
  SyncLoop(Options options, const Parts& parts);
  ~SyncLoop();  // Shuts down.
  SyncLoop(const SyncLoop&) = delete;
  SyncLoop& operator=(const SyncLoop&) = delete;

  // Starts the loop, once. It first reports `states`: how the timelines stand at the start.
  void start(std::vector<TimelineSyncStatus> states);

  // From any thread, without waiting. What is dropped for want of a loop is logged.
  ScheduleOutcome schedule(const SyncTask& task);
  ScheduleOutcome schedule_timeline_checkpoint_upload(const TenantTimelineId& timeline,
                                                      const Checkpoint& checkpoint) {
    return schedule(SyncTask::upload(timeline, checkpoint));
  }
  ScheduleOutcome schedule_timeline_download(const TenantTimelineId& timeline,
                                             uint64_t commit_sequence,
                                             SyncLane lane = SyncLane::kDownload) {
    return schedule(SyncTask::download(timeline, commit_sequence, lane));
  }

  // The tenant was attached: what was evicted may be scheduled again. From any thread.
  void tenant_attached(const TenantId& tenant);

  // Starts nothing more, waits for what runs, and for the last states to be reported. What does not
  // finish within the timeout is told to stop. Queued tasks are dropped. Not from two threads at a
  // time, nor from the observer.
  void shutdown();

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
    std::vector<Settled> settled;
    std::vector<SyncTask> starting;
    BootTime now{0};
    Duration pause = Duration::max();
    std::stop_token woken;
    bool last = false;
  };

  void loop(const std::stop_token& stop, const std::vector<TimelineSyncStatus>& states);
  Step next_step(const std::stop_token& stop, std::optional<BootTime>& patience_ends);
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
  std::vector<Finished> finished_;
  // Ends the sleep after the current step.
  std::stop_source wake_;
  bool running_ = false;

  std::jthread thread_;
};

}  // namespace varve
