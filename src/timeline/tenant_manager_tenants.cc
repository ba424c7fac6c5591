// Creating tenants, taking them over, and committing changes of them.
#include "base/logging.h"
#include "fs/directory.h"
#include "runtime/joined_call.h"
#include "storage_sync/attach.h"
#include "storage_sync/conditional_probe.h"
#include "timeline/tenant_manager.h"

namespace varve {
namespace {

// A request that failed with this code may have been carried out all the same; see
// RemoteStorage::put.
bool may_have_landed(ErrorCode code) {
  return code != ErrorCode::kConflict && code != ErrorCode::kInvalidArgument &&
         code != ErrorCode::kDenied;
}

}  // namespace

Result<TenantManager::TenantTurn> TenantManager::take_turn(const TenantId& id,
                                                           const CallOptions& call) {
  return turns_->take(id, fmt::format("waiting for other changes of tenant {}", id), call);
}

Result<> TenantManager::check_changeable(const TenantId& id) const {
  const auto local = store_->tenant(id)->get();
  VARVE_TRY(local->check_owned());
  if (options_.remote != nullptr || local->head.sequence == 0) return {};
  // The local copy of the log would part from the log itself.
  return make_error(ErrorCode::kConflict,
                    "tenant {} is kept in a remote storage, and none is configured: it can be "
                    "changed only with '--remote'",
                    id);
}

Result<> TenantManager::check_makes_nothing(const TenantId& id) const {
  if (!directory_->makes_timelines(id)) return {};
  return make_error(ErrorCode::kConflict,
                    "a timeline of tenant {} is being made: wait for that, or interrupt it", id);
}

Result<> TenantManager::change_tenant(const TenantId& id, const TenantChange& change,
                                      const CallOptions& call) {
  VARVE_TRY(check_changeable(id));
  const auto kept = store_->tenant(id);
  auto changed = options_.remote != nullptr
                     ? commit_tenant(*options_.remote, *kept, change, call)
                     : kept->change([&](LocalTenant& local) { return change(local.manifest); });
  // Also after an error: a change whose acknowledgement was lost may have been found.
  directory_->note_registrations(kept->get()->manifest);
  return changed;
}

Result<TenantInfo> TenantManager::create_tenant(std::optional<TenantId> id,
                                                const std::string& name) {
  const TenantId tenant_id = id.value_or(options_.random->next_id<TenantId>());
  VARVE_ASSIGN(const auto reservation, directory_->reserve_tenant(tenant_id, name));

  LocalTenant created;
  created.manifest.id = tenant_id;
  created.writer = options_.random->next_id<WriterId>();
  // Nobody else knows the ID. One that was given may be known elsewhere.
  if (!id) created.head_seen = options_.clock->boot_time();
  const auto directory = store_->tenant_directory(tenant_id);
  VARVE_TRY(create_directories_durably(directory));
  store_->add_tenant(std::move(created));
  auto done = change_tenant(
      tenant_id,
      [&](TenantManifest& manifest) -> Result<> {
        manifest.name = name;
        manifest.created_at = options_.clock->now();
        return {};
      },
      options_.call);
  if (!done.ok() && options_.remote != nullptr && may_have_landed(done.code())) {
    // The journal stays: by it the next open knows the tenant for its own, if it is there.
    directory_->add_uncertain_tenant(
        tenant_id, name,
        done.error().context("whether it was created is found out at the next start"));
    return done.error();
  }
  if (done.ok()) done = check_storage_keeps_conditions(tenant_id);
  if (!done.ok()) {
    store_->forget_tenant(tenant_id);
    std::ignore = remove_tree(directory);
    return done.error();
  }
  directory_->add_tenant(tenant_id);
  return directory_->tenant(tenant_id);
}

Result<> TenantManager::check_storage_keeps_conditions(const TenantId& created) {
  if (options_.remote == nullptr) return {};
  RemoteStorage& storage = options_.remote->storage;
  const auto tenant = store_->tenant(created)->get();
  auto proof = probe_conditional_put(storage, *tenant, options_.call);
  if (proof.failed_with(ErrorCode::kInvalidArgument)) {
    // Nobody may find a tenant that no server can own.
    const ObjectName first =
        commit_archive(storage, {created, {}}, tenant->head.sequence, tenant->manifest.stamp.nonce);
    std::ignore = storage.remove({first.key()}, options_.call);
    return proof;
  }
  if (!proof.ok()) {
    log_error(fmt::format("tenant {} was created, but whether its storage keeps conditional writes "
                          "could not be found out",
                          created),
              proof.error());
  }
  return {};
}

Result<TenantInfo> TenantManager::attach_tenant(const TenantId& id, const CallOptions& call) {
  const JoinedCall joined(options_.call, call);
  VARVE_TRY(directory_->tenant(id));
  if (options_.remote == nullptr) {
    return make_error(ErrorCode::kInvalidArgument,
                      "tenant {} cannot be attached: no remote storage is configured", id);
  }
  VARVE_ASSIGN(const auto turn, take_turn(id, joined.options()));
  if (!store_->tenant(id)->get()->check_owned().ok()) VARVE_TRY(check_makes_nothing(id));
  VARVE_ASSIGN(const bool attached,
               varve::attach_tenant(*options_.remote, *store_, id, {.call = joined.options()}));
  if (attached) {
    const auto tenant = store_->tenant(id)->get();
    directory_->note_attached(tenant->manifest);
    for (const TimelineRegistration& timeline : tenant->manifest.timelines) {
      note_ready({id, timeline.id});
    }
  }
  return directory_->tenant(id);
}

}  // namespace varve
