// Opening a work directory, and freeing what a deletion left.
#include "base/logging.h"
#include "fs/directory.h"
#include "timeline/tenant_manager.h"

namespace varve {

TenantManager::TenantManager(Options options)
    : options_(std::move(options)),
      store_(std::make_unique<LocalStore>(options_.work_directory)),
      states_(std::make_unique<TimelineStates>()),
      directory_(std::make_unique<TenantDirectory>(*store_)),
      turns_(std::make_unique<Turns<TenantId>>()) {}

Result<TenantManager> TenantManager::open(Options options) {
  TenantManager manager(std::move(options));
  VARVE_ASSIGN(manager.startup_, start_local_timeline_sync(
                                     *manager.store_, {.remote = manager.options_.remote,
                                                       .only_tenant = manager.options_.only_tenant,
                                                       .call = manager.options_.call}));
  manager.states_->set_timeline_states(manager.startup_.states);
  manager.free_deleted();
  manager.directory_->fill(std::exchange(manager.startup_.tenants, {}));
  return manager;
}

// What a deletion left that was cut short: its last commit has been made, and the files are of no
// use.
void TenantManager::free_deleted() {
  const auto free_layers = [](const std::filesystem::path& directory) -> Result<> {
    VARVE_ASSIGN(const auto entries, list_directory(directory));
    for (const DirectoryEntry& entry : entries) {
      if (LayerName::parse(entry.name).ok()) VARVE_TRY(remove_file(directory / entry.name));
    }
    return {};
  };
  for (const auto& [tenant_id, tenant] : startup_.tenants) {
    const auto kept = store_->tenant(tenant_id);
    if (!tenant.damage && kept != nullptr && kept->get()->manifest.deleted) {
      for (const auto& [timeline_id, timeline] : tenant.timelines) {
        store_->forget_timeline({tenant_id, timeline_id});
      }
      const auto freed = free_tenant(tenant_id);
      if (!freed.ok()) log_error("a deleted tenant keeps its files", freed.error());
      continue;
    }
    for (const auto& [timeline_id, timeline] : tenant.timelines) {
      const TenantTimelineId id{tenant_id, timeline_id};
      const auto directory = store_->timeline_directory(id);
      const State local = directory_->local_state(id);
      Result<> freed;
      if (timeline.registration && timeline.registration->deleted) {
        store_->forget_timeline(id);
        freed = remove_tree(directory);
      } else if (local != nullptr && local->manifest.deleted) {
        // The metadata file stays until the tenant's log says it as well: it keeps the name free.
        freed = free_layers(directory);
      }
      if (!freed.ok()) log_error("a deleted timeline keeps its files", freed.error());
    }
  }
}

}  // namespace varve
