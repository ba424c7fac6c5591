// The background loop of the sync engine: one thread that takes the turns of a SyncDriver and
// sleeps between them, until something is asked for or finishes or a pause ends.
#pragma once

#include <thread>

#include "storage_sync/sync_driver.h"

namespace varve {

// Thread-safe, but for shutdown().
class SyncLoop {
 public:
  using Options = SyncDriver::Options;
  using Parts = SyncDriver::Parts;
  SyncLoop(Options options, const Parts& parts) : clock_(parts.clock), driver_(options, parts) {}
  ~SyncLoop() { shutdown(); }
  SyncLoop(const SyncLoop&) = delete;
  SyncLoop& operator=(const SyncLoop&) = delete;

  // Starts the loop, once. It first reports `states`: how the timelines stand at the start.
  void start(std::vector<TimelineSyncStatus> states);

  // From any thread, without waiting. What is dropped for want of a loop is logged.
  ScheduleOutcome schedule(const SyncTask& task) { return driver_.schedule(task); }
  ScheduleOutcome schedule_timeline_checkpoint_upload(const TenantTimelineId& timeline,
                                                      const Checkpoint& checkpoint) {
    return schedule(SyncTask::upload(timeline, checkpoint));
  }
  ScheduleOutcome schedule_timeline_download(const TenantTimelineId& timeline,
                                             uint64_t commit_sequence,
                                             SyncLane lane = SyncLane::kDownload) {
    return schedule(SyncTask::download(timeline, commit_sequence, lane));
  }

  // See SyncDriver.
  void tenant_attached(const TenantId& tenant) { driver_.tenant_attached(tenant); }
  void forget(const TenantTimelineId& timeline) { driver_.forget(timeline); }

  // Starts nothing more, waits for what runs, and for the last states to be reported. What does not
  // finish within the timeout is told to stop. Queued tasks are dropped. Not from two threads at a
  // time, nor from the observer.
  void shutdown();

 private:
  Clock& clock_;
  SyncDriver driver_;
  std::jthread thread_;
};

}  // namespace varve
