#include "storage_sync/sync_engine.h"

namespace varve {

SyncEngine::SyncEngine(Options options, const SyncContext& context, LocalStore& store,
                       SyncObserver& observer, Metrics& metrics)
    : runner_(context, store, std::move(options.progress)),
      executor_(options.loop.queue),
      loop_(options.loop, {runner_, executor_, observer, metrics, context.clock, context.random}) {}

void SyncEngine::start(std::vector<TimelineSyncStatus> states,
                       const std::vector<SyncTask>& first_tasks) {
  loop_.start(std::move(states));
  for (const SyncTask& task : first_tasks) loop_.schedule(task);
}

}  // namespace varve
