#include "storage_sync/local_store.h"

namespace varve {
namespace {

template <typename Map, typename Id>
typename Map::mapped_type find_or_null(const Map& map, const Id& id) {
  const auto found = map.find(id);
  return found == map.end() ? nullptr : found->second;
}

}  // namespace

std::filesystem::path LocalStore::tenants_directory() const {
  return work_directory_ / "tenants";
}
std::filesystem::path LocalStore::tenant_directory(const TenantId& tenant) const {
  return tenants_directory() / tenant.to_string();
}
std::filesystem::path LocalStore::timelines_directory(const TenantId& tenant) const {
  return tenant_directory(tenant) / "timelines";
}
std::filesystem::path LocalStore::timeline_directory(const TenantTimelineId& timeline) const {
  return timelines_directory(timeline.tenant) / timeline.timeline.to_string();
}

std::vector<TenantId> LocalStore::tenants() const {
  const std::lock_guard lock(mutex_);
  std::vector<TenantId> ids;
  for (const auto& [id, tenant] : tenants_) ids.push_back(id);
  return ids;
}

std::shared_ptr<KeptTenant> LocalStore::tenant(const TenantId& id) const {
  const std::lock_guard lock(mutex_);
  return find_or_null(tenants_, id);
}

std::shared_ptr<KeptTimeline> LocalStore::timeline(const TenantTimelineId& id) const {
  const std::lock_guard lock(mutex_);
  return find_or_null(timelines_, id);
}

bool LocalStore::is_pinned(const TenantTimelineId& timeline, Lsn lsn) const {
  const auto kept = tenant(timeline.tenant);
  return kept != nullptr && kept->get()->manifest.is_pinned(timeline.timeline, lsn);
}

std::shared_ptr<KeptTenant> LocalStore::add_tenant(LocalTenant state) {
  const TenantId id = state.manifest.id;
  auto added = std::make_shared<KeptTenant>(tenant_directory(id), std::move(state));
  const std::lock_guard lock(mutex_);
  return tenants_[id] = std::move(added);
}

std::shared_ptr<KeptTimeline> LocalStore::add_timeline(LocalManifest state) {
  const TenantTimelineId id = state.manifest.id;
  auto added = std::make_shared<KeptTimeline>(timeline_directory(id), std::move(state));
  const std::lock_guard lock(mutex_);
  return timelines_[id] = std::move(added);
}

std::shared_ptr<KeptTimeline> LocalStore::find_or_add_timeline(LocalManifest state) {
  const TenantTimelineId id = state.manifest.id;
  auto added = std::make_shared<KeptTimeline>(timeline_directory(id), std::move(state));
  const std::lock_guard lock(mutex_);
  return timelines_.try_emplace(id, std::move(added)).first->second;
}

void LocalStore::forget_tenant(const TenantId& id) {
  const std::lock_guard lock(mutex_);
  tenants_.erase(id);
}

void LocalStore::forget_timeline(const TenantTimelineId& id) {
  const std::lock_guard lock(mutex_);
  timelines_.erase(id);
}

Result<LocalStore::FilesTurn> LocalStore::take_files_turn(const TenantTimelineId& id,
                                                          const CallOptions& call) {
  return files_turns_.take(id, fmt::format("waiting for the files of timeline {}", id), call);
}

}  // namespace varve
