// What of a timeline is here and what is in the remote storage: bringing it from one to the other,
// and giving up copies.
#include <algorithm>
#include <set>

#include "fs/directory.h"
#include "runtime/joined_call.h"
#include "storage_sync/timeline_sync_runner.h"
#include "timeline/tenant_manager.h"

namespace varve {
namespace {

TaskProgress without_task(const ByteProgress& progress) {
  if (!progress) return {};
  return [&progress](const SyncTask&, uint64_t done, uint64_t total) { progress(done, total); };
}

}  // namespace

void TenantManager::note_ready(const TenantTimelineId& id) {
  const State local = directory_->local_state(id);
  if (local == nullptr) return;
  TimelineSyncStatus status{id, TimelineSyncState::kReady, std::nullopt};
  if (local->head.sequence > 0) status.remote_consistent_lsn = local->remote_consistent_lsn;
  states_->set_timeline_states({status});
}

Result<bool> TenantManager::sync_timeline(const TenantTimelineId& id, const ByteProgress& progress,
                                          const CallOptions& call) {
  const JoinedCall joined(options_.call, call);
  VARVE_ASSIGN(const auto task, pending_task(id, joined.options()));
  if (!task) return false;
  std::optional<LocalStore::FilesTurn> files_turn;
  if (task->operation() == SyncOperation::kUpload) {
    // So that a deletion waits for it here rather than in the turn of its tenant.
    VARVE_ASSIGN(auto taken, store_->take_files_turn(id, joined.options()));
    files_turn.emplace(std::move(taken));
  }
  TimelineSyncRunner runner(*options_.remote, *store_, without_task(progress));
  VARVE_TRY(runner.run(*task, joined.options()));
  note_ready(id);
  return true;
}

Result<> TenantManager::begin_registered_branch(const LocalManifest& state,
                                                const CallOptions& call) {
  const TenantTimelineId& id = state.manifest.id;
  if (!store_->tenant(id.tenant)->get()->check_owned().ok()) return {};
  VARVE_ASSIGN(const auto files_turn, store_->take_files_turn(id, call));
  VARVE_TRY(directory_->timeline(id));
  VARVE_TRY(create_directories_durably(store_->timeline_directory(id)));
  const auto kept = store_->find_or_add_timeline(state);
  VARVE_TRY(kept->change([](LocalManifest&) -> Result<> { return {}; }));
  note_ready(id);
  return {};
}

Result<> TenantManager::prefetch_timeline(const TenantTimelineId& id, const ByteProgress& progress,
                                          const CallOptions& call) {
  const JoinedCall joined(options_.call, call);
  VARVE_ASSIGN(const KnownTimeline timeline, directory_->timeline(id));
  VARVE_ASSIGN(const Standing standing, this->standing(id, timeline, joined.options()));
  if (options_.remote == nullptr) return {};
  const uint64_t head = standing.newest->head.sequence;
  if (head == 0) {
    // What was never uploaded is here, save a branch of which a crash left the registration alone.
    return standing.local == nullptr ? begin_registered_branch(*standing.newest, joined.options())
                                     : Result<>();
  }
  TimelineSyncRunner runner(*options_.remote, *store_, without_task(progress));
  VARVE_TRY(runner.run(SyncTask::download(id, head), joined.options()));
  note_ready(id);
  return {};
}

Result<TenantManager::FreedLayers> TenantManager::drop_local_layers(const TenantTimelineId& id,
                                                                    const CallOptions& call,
                                                                    const LayerPredicate& wanted) {
  const JoinedCall joined(options_.call, call);
  VARVE_TRY(directory_->timeline(id));
  VARVE_ASSIGN(const auto files_turn, store_->take_files_turn(id, joined.options()));
  VARVE_TRY(directory_->timeline(id));
  FreedLayers freed;
  const State local = directory_->local_state(id);
  if (local == nullptr) return freed;
  std::vector<LayerEntry> droppable;
  std::ranges::copy_if(local->manifest.layers, std::back_inserter(droppable),
                       [&](const LayerEntry& layer) {
                         return layer.stored.is_remote() && (!wanted || wanted(layer.name));
                       });
  if (options_.remote == nullptr || droppable.empty()) return freed;

  // This may be the last copy that is given up: the other one must be there.
  const LogName log{id.tenant, id.timeline};
  VARVE_ASSIGN(const RemoteListing listing,
               list_remote(options_.remote->storage, log.prefix(), joined.options()));
  std::set<std::string> listed;
  if (const ListedLog* objects = listing.find(log)) listed = objects->file_names();
  for (const LayerEntry& layer : droppable) {
    if (listed.contains(layer.stored.object)) continue;
    return make_error(ErrorCode::kCorrupted,
                      "object {}{} is missing in the remote storage, which holds layer {}: the "
                      "local copies stay",
                      log.prefix(), layer.stored.object, layer.name.to_string());
  }
  const auto directory = store_->timeline_directory(id);
  for (const LayerEntry& layer : droppable) {
    const auto path = directory / layer.name.to_string();
    VARVE_ASSIGN(const bool is_here, path_exists(path));
    if (!is_here) continue;
    VARVE_TRY(remove_file(path));
    ++freed.layers;
    freed.bytes += layer.size;
  }
  return freed;
}

}  // namespace varve
