#include "storage_sync/sync_engine.h"

#include "base/logging.h"
#include "storage_sync/stale_uploads.h"

namespace varve {

SyncEngine::SyncEngine(Options options, const SyncContext& context, LocalStore& store,
                       SyncObserver& observer, Metrics& metrics)
    : context_(context),
      store_(store),
      runner_(context, store, std::move(options.progress)),
      executor_(options.loop.queue),
      loop_(options.loop, {runner_, executor_, observer, metrics, context.clock, context.random}) {}

void SyncEngine::start(std::vector<TimelineSyncStatus> states,
                       const std::vector<SyncTask>& first_tasks) {
  abort_stale_uploads_of_owned_tenants();
  loop_.start(std::move(states));
  for (const SyncTask& task : first_tasks) loop_.schedule(task);
}

void SyncEngine::abort_stale_uploads_of_owned_tenants() {
  for (const TenantId& tenant : store_.tenants()) {
    if (!store_.tenant(tenant)->get()->check_owned().ok()) continue;
    const auto aborted =
        abort_stale_uploads(context_.storage, tenant, context_.options.grace_period, {});
    // They cost money and do no harm.
    if (!aborted.ok()) log_error("unfinished uploads remain", aborted.error());
  }
}

}  // namespace varve
