// What the remote storage holds for nothing: finding it, and freeing it.
#include "runtime/joined_call.h"
#include "storage_sync/tenant_gc.h"
#include "timeline/tenant_manager.h"

namespace varve {

Result<std::shared_ptr<KeptTimeline>> TenantManager::collectable_timeline(
    const TenantTimelineId& id) const {
  VARVE_TRY(directory_->timeline(id));
  VARVE_TRY(check_changeable(id.tenant));
  auto kept = store_->timeline(id);
  if (options_.remote == nullptr || kept == nullptr) {
    return make_error(ErrorCode::kConflict,
                      "timeline {} is not both here and in a remote storage: there is nothing to "
                      "compare",
                      id);
  }
  return kept;
}

Result<CollectedGarbage> TenantManager::collect_garbage(const TenantTimelineId& id,
                                                        const CallOptions& call) {
  const JoinedCall joined(options_.call, call);
  VARVE_TRY(directory_->timeline(id));
  // Its objects are named in the metadata file, which a deletion would free under its hands.
  VARVE_ASSIGN(const auto files_turn, store_->take_files_turn(id, joined.options()));
  VARVE_ASSIGN(const auto kept, collectable_timeline(id));
  return collect_remote_garbage(*options_.remote, *kept, joined.options());
}

Result<TenantManager::MovedLayers> TenantManager::repack_timeline(const TenantTimelineId& id,
                                                                  const CallOptions& call) {
  const JoinedCall joined(options_.call, call);
  VARVE_TRY(directory_->timeline(id));
  VARVE_ASSIGN(const auto files_turn, store_->take_files_turn(id, joined.options()));
  VARVE_ASSIGN(const auto kept, collectable_timeline(id));
  ExaminedObjects examined;
  {
    const std::lock_guard lock(known_garbage_->mutex);
    examined = known_garbage_->examined[id];
  }
  VARVE_ASSIGN(RepackPlan plan,
               find_repackable(*options_.remote, *kept->get(), examined, joined.options()));
  {
    const std::lock_guard lock(known_garbage_->mutex);
    known_garbage_->examined[id] = std::move(examined);
  }
  if (plan.moves.empty()) return MovedLayers{};
  const MovedLayers moved{.layers = plan.moves.size(), .bytes = plan.bytes};
  VARVE_TRY(upload(*kept, {.repack = std::move(plan.moves)}, {}, joined.options()));
  return moved;
}

bool TenantManager::may_have_garbage(const TenantId& id) const {
  const auto tenant = store_->tenant(id);
  if (options_.remote == nullptr || tenant == nullptr) return false;
  const auto local = tenant->get();
  if (local->writer.is_nil() || local->fence || local->attaching) return false;
  {
    const std::lock_guard lock(known_garbage_->mutex);
    const auto clean = known_garbage_->clean_at.find(id);
    if (clean != known_garbage_->clean_at.end() && clean->second == local->head.sequence) {
      return false;
    }
  }
  // The listing of the start tells, as long as nothing was added since.
  const ListedLog* const listed = startup_.listing.find({id, {}});
  if (listed == nullptr || listed->head_sequence() != local->head.sequence) return true;
  return has_tenant_garbage(*local, startup_.listing);
}

Result<CollectedGarbage> TenantManager::collect_tenant_garbage(const TenantId& id,
                                                               const CallOptions& call) {
  const JoinedCall joined(options_.call, call);
  const auto tenant = store_->tenant(id);
  if (options_.remote == nullptr || tenant == nullptr) {
    return make_error(ErrorCode::kConflict, "tenant {} is not both here and in a remote storage",
                      id);
  }
  VARVE_ASSIGN(auto collected,
               varve::collect_tenant_garbage(*options_.remote, *tenant, joined.options()));
  if (collected.complete) {
    const std::lock_guard lock(known_garbage_->mutex);
    known_garbage_->clean_at[id] = collected.head;
  }
  return std::move(collected.freed);
}

}  // namespace varve
