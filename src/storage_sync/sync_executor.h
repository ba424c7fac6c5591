// The threads of the sync engine.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "runtime/thread_pool.h"
#include "storage_sync/sync_queue.h"

namespace varve {

// Thread-safe.
class SyncExecutor {
 public:
  virtual ~SyncExecutor() = default;
  // Runs `work` on some thread. Must not wait for anything else that runs.
  virtual void submit(SyncLane lane, std::function<void()> work) = 0;
};

// One pool per lane, with a thread for each task that may run at a time.
class LanePools : public SyncExecutor {
 public:
  explicit LanePools(const SyncQueueOptions& limits);
  void submit(SyncLane lane, std::function<void()> work) override;

 private:
  std::array<std::unique_ptr<ThreadPool>, kSyncLaneCount> pools_;
};

}  // namespace varve
