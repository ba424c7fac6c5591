#include "storage_sync/sync_executor.h"

namespace varve {

LanePools::LanePools(const SyncQueueOptions& limits) {
  constexpr std::array<const char*, kSyncLaneCount> kNames{"sync-upload", "sync-download",
                                                           "sync-demand"};
  for (size_t at = 0; at < kSyncLaneCount; ++at) {
    const size_t threads = limits.concurrency(static_cast<SyncLane>(at));
    pools_[at] = std::make_unique<ThreadPool>(
        ThreadPool::Options{.name = kNames[at], .threads = threads, .queue_capacity = threads});
  }
}

void LanePools::submit(SyncLane lane, std::function<void()> work) {
  pools_[static_cast<size_t>(lane)]->submit(std::move(work));
}

}  // namespace varve
