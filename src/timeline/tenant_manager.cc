#include "timeline/tenant_manager.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>

#include "fs/directory.h"
#include "storage_sync/download.h"
#include "storage_sync/object_reader.h"
#include "storage_sync/upload.h"

namespace varve {
namespace {

// A request that failed with this code may have been carried out all the same; see
// RemoteStorage::put.
bool may_have_landed(ErrorCode code) {
  return code != ErrorCode::kConflict && code != ErrorCode::kInvalidArgument &&
         code != ErrorCode::kDenied;
}

}  // namespace

Result<> check_name(std::string_view name) {
  constexpr size_t kMaximumLength = 63;
  const auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
  };
  if (name.empty() || name.size() > kMaximumLength || !std::ranges::all_of(name, allowed) ||
      std::isalnum(static_cast<unsigned char>(name.front())) == 0) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' is not a name: expected 1 to 63 letters, digits, '.', '_' or '-', "
                      "beginning with a letter or digit",
                      name);
  }
  if (TenantId::parse(name).ok()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' is not a name: 32 hexadecimal digits are an ID", name);
  }
  return {};
}

std::filesystem::path TenantManager::tenant_directory(const TenantId& tenant) const {
  return options_.work_directory / "tenants" / tenant.to_string();
}
std::filesystem::path TenantManager::timelines_directory(const TenantId& tenant) const {
  return tenant_directory(tenant) / "timelines";
}
std::filesystem::path TenantManager::timeline_directory(const TenantTimelineId& timeline) const {
  return timelines_directory(timeline.tenant) / timeline.timeline.to_string();
}

// --- tenants ---

TenantInfo TenantManager::describe(const Tenant& tenant) const {
  return {.id = tenant.local.manifest.id,
          .name = tenant.local.manifest.name,
          .created_at = tenant.local.manifest.created_at,
          .owned = tenant.local.check_owned().ok(),
          .fence = tenant.local.fence,
          .timeline_count = static_cast<size_t>(std::ranges::count_if(
              tenant.timelines, [&](const auto& entry) { return is_visible(entry.second); }))};
}

std::vector<TenantInfo> TenantManager::tenants() const {
  std::vector<TenantInfo> infos;
  for (const auto& [id, tenant] : tenants_) {
    if (!tenant.damage) infos.push_back(describe(tenant));
  }
  return infos;
}

const TenantManager::Tenant* TenantManager::find_tenant(const TenantId& id) const {
  const auto found = tenants_.find(id);
  return found == tenants_.end() ? nullptr : &found->second;
}

Result<TenantInfo> TenantManager::tenant(std::string_view id_or_name) const {
  const Tenant* found = nullptr;
  if (auto id = TenantId::parse(id_or_name); id.ok()) {
    found = find_tenant(*id);
  } else {
    VARVE_TRY(check_name(id_or_name).context("tenant"));
    for (const auto& [tenant_id, tenant] : tenants_) {
      if (tenant.local.manifest.name == id_or_name) found = &tenant;
    }
  }
  if (found == nullptr) {
    return make_error(ErrorCode::kNotFound,
                      "there is no tenant '{}': 'varve tenant list' shows those that there are",
                      id_or_name);
  }
  if (found->damage) return found->damage->context(fmt::format("tenant {}", id_or_name));
  return describe(*found);
}

Result<TenantManager::Tenant*> TenantManager::usable_tenant(const TenantId& id) {
  VARVE_TRY(tenant(id.to_string()));
  return &tenants_.at(id);
}

Result<> TenantManager::check_changeable(const Tenant& tenant) const {
  VARVE_TRY(tenant.local.check_owned());
  if (options_.remote != nullptr || tenant.local.head.sequence == 0) return {};
  // The local copy of the log would part from the log itself.
  return make_error(ErrorCode::kConflict,
                    "tenant {} is kept in a remote storage, and none is configured: it can be "
                    "changed only with '--remote'",
                    tenant.local.manifest.id);
}

Result<> TenantManager::change_tenant(Tenant& tenant, const TenantChange& change) {
  VARVE_TRY(check_changeable(tenant));
  const auto directory = tenant_directory(tenant.local.manifest.id);
  if (options_.remote != nullptr) {
    return commit_tenant(*options_.remote, directory, tenant.local, change, options_.call);
  }
  LocalTenant next = tenant.local;
  VARVE_TRY(change(next.manifest));
  VARVE_TRY(next.write(directory));
  tenant.local = std::move(next);
  return {};
}

Result<TenantInfo> TenantManager::create_tenant(std::optional<TenantId> id,
                                                const std::string& name) {
  if (!name.empty()) VARVE_TRY(check_name(name));
  const TenantId tenant_id = id.value_or(options_.random->next_id<TenantId>());
  for (const auto& [other_id, other] : tenants_) {
    if (other_id == tenant_id) {
      return make_error(ErrorCode::kConflict, "tenant {} exists already", tenant_id);
    }
    if (!name.empty() && other.local.manifest.name == name) {
      return make_error(ErrorCode::kConflict,
                        "the name '{}' is taken by tenant {}: choose another one", name, other_id);
    }
  }

  Tenant created;
  created.local.manifest.id = tenant_id;
  created.local.writer = options_.random->next_id<WriterId>();
  const auto directory = tenant_directory(tenant_id);
  VARVE_TRY(create_directories_durably(directory));
  auto done = change_tenant(created, [&](TenantManifest& manifest) -> Result<> {
    manifest.name = name;
    manifest.created_at = options_.clock->now();
    return {};
  });
  if (!done.ok() && options_.remote != nullptr && may_have_landed(done.code())) {
    // The journal stays: by it the next open knows the tenant for its own, if it is there.
    created.local.manifest.name = name;
    created.damage = done.error().context("whether it was created is found out at the next start");
    tenants_.emplace(tenant_id, std::move(created));
    return done.error();
  }
  if (!done.ok()) {
    std::ignore = remove_tree(directory);
    return done.error();
  }
  const auto [added, inserted] = tenants_.emplace(tenant_id, std::move(created));
  return describe(added->second);
}

// --- timelines ---

// A registration without data and without an ancestor is an import that did not finish.
bool TenantManager::is_visible(const Timeline& timeline) const {
  if (timeline.registration && timeline.registration->deleted) return false;
  if (timeline.remote) return !timeline.remote->manifest.deleted;
  if (timeline.local) return !timeline.local->manifest.deleted;
  if (timeline.damage) return true;
  return timeline.registration &&
         (timeline.remote_head > 0 || timeline.registration->ancestor.has_value());
}

bool TenantManager::name_is_taken(const Tenant& tenant, const std::string& name) const {
  return std::ranges::any_of(tenant.timelines, [&](const auto& entry) {
    const Timeline& timeline = entry.second;
    return timeline.registration && timeline.registration->name == name && is_visible(timeline);
  });
}

Result<const LocalManifest*> TenantManager::newest_state(const TenantTimelineId& id,
                                                         Timeline& timeline) {
  if (timeline.damage) return timeline.damage->context(fmt::format("timeline {}", id));
  if (!timeline.local && !timeline.remote) {
    if (options_.remote == nullptr || timeline.remote_head == 0) {
      return make_error(ErrorCode::kNotFound, "timeline {} has no data", id);
    }
    const auto object = ObjectName::archive({id.tenant, id.timeline}, timeline.remote_head);
    VARVE_ASSIGN(auto commit,
                 read_timeline_commit(options_.remote->storage, object, options_.call));
    timeline.remote = LocalManifest::from_commit(
        {timeline.remote_head, commit.tail.trailer.checksum()}, std::move(commit.manifest));
  }
  return timeline.remote ? &*timeline.remote : &*timeline.local;
}

Result<TimelineInfo> TenantManager::describe(const TenantTimelineId& id, Timeline& timeline) {
  VARVE_ASSIGN(const LocalManifest* newest, newest_state(id, timeline));
  TimelineInfo info{.id = id};
  if (timeline.registration) {
    info.name = timeline.registration->name;
    info.created_at = timeline.registration->created_at;
  }
  const LocalManifest& shown = timeline.local ? *timeline.local : *newest;
  if (!timeline.local) {
    info.state = TimelineSyncState::kCloudOnly;
  } else if (&shown != newest) {
    info.state = TimelineSyncState::kAwaitsDownload;
    info.sync_pending = true;
  } else {
    info.sync_pending = options_.remote != nullptr && !shown.in_sync();
  }
  info.metadata = shown.manifest.metadata;
  info.remote_consistent_lsn = newest->remote_consistent_lsn;
  info.layer_count = shown.manifest.layers.size();
  for (const LayerEntry& layer : shown.manifest.layers) info.layer_bytes += layer.size;
  return info;
}

Result<std::vector<TimelineInfo>> TenantManager::timelines(const TenantId& tenant_id) {
  VARVE_ASSIGN(Tenant* const tenant, usable_tenant(tenant_id));
  std::vector<TimelineInfo> infos;
  for (auto& [timeline_id, timeline] : tenant->timelines) {
    // One damaged timeline does not hide the others; it was reported when it was found.
    if (!is_visible(timeline) || timeline.damage) continue;
    auto info = describe({tenant_id, timeline_id}, timeline);
    if (info.ok()) {
      // Reading it may have shown that it was deleted.
      if (is_visible(timeline)) infos.push_back(*std::move(info));
      continue;
    }
    if (!info.failed_with(ErrorCode::kCorrupted)) return info.error();
    timeline.damage = info.error();
    spdlog::error("timeline {}/{}: {}", tenant_id, timeline_id, info.error().message());
  }
  std::ranges::sort(infos, [](const TimelineInfo& a, const TimelineInfo& b) {
    return std::tie(a.created_at, a.id) < std::tie(b.created_at, b.id);
  });
  return infos;
}

Result<TenantManager::Timeline*> TenantManager::usable_timeline(const TenantTimelineId& id) {
  VARVE_ASSIGN(Tenant* const tenant, usable_tenant(id.tenant));
  const auto found = tenant->timelines.find(id.timeline);
  if (found == tenant->timelines.end() || !is_visible(found->second)) {
    return make_error(
        ErrorCode::kNotFound,
        "there is no timeline {}: 'varve timeline list {}' shows those that there are", id,
        id.tenant);
  }
  return &found->second;
}

Result<TimelineInfo> TenantManager::timeline(std::string_view address) {
  const size_t slash = address.find('/');
  if (slash == std::string_view::npos) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' does not address a timeline: expected TENANT/TIMELINE", address);
  }
  VARVE_ASSIGN(const TenantInfo owner, tenant(address.substr(0, slash)));
  const std::string_view wanted = address.substr(slash + 1);
  TenantTimelineId id{owner.id, {}};
  if (auto parsed = TimelineId::parse(wanted); parsed.ok()) {
    id.timeline = *parsed;
  } else {
    VARVE_TRY(check_name(wanted).context("timeline"));
    for (const auto& [timeline_id, timeline] : tenants_.at(owner.id).timelines) {
      if (timeline.registration && timeline.registration->name == wanted && is_visible(timeline)) {
        id.timeline = timeline_id;
      }
    }
    if (id.timeline.is_nil()) {
      return make_error(
          ErrorCode::kNotFound,
          "tenant {} has no timeline '{}': 'varve timeline list {}' shows those that there are",
          address.substr(0, slash), wanted, owner.id);
    }
  }
  VARVE_ASSIGN(Timeline* const timeline, usable_timeline(id));
  VARVE_ASSIGN(TimelineInfo info, describe(id, *timeline));
  // Reading its newest commit may have shown that it was deleted.
  VARVE_TRY(usable_timeline(id));
  return info;
}

Result<> TenantManager::check_new_timeline(const TenantId& tenant_id,
                                           const std::string& name) const {
  VARVE_TRY(tenant(tenant_id.to_string()));
  const Tenant& tenant = tenants_.at(tenant_id);
  VARVE_TRY(check_changeable(tenant));
  if (name.empty()) return {};
  VARVE_TRY(check_name(name));
  if (!name_is_taken(tenant, name)) return {};
  return make_error(ErrorCode::kConflict,
                    "the name '{}' is taken by another timeline of tenant {}: choose another one",
                    name, tenant_id);
}

Result<TimelineDraft> TenantManager::start_timeline(const TenantId& tenant, Lsn image_lsn) {
  return TimelineDraft::create({.id = {tenant, options_.random->next_id<TimelineId>()},
                                .timelines_directory = timelines_directory(tenant),
                                .image_lsn = image_lsn,
                                .layer_size = options_.layer_size});
}

Result<TimelineInfo> TenantManager::commit_timeline(TimelineDraft draft, const std::string& name,
                                                    const ByteProgress& progress) {
  const TenantTimelineId id = draft.manifest().manifest.id;
  VARVE_TRY(check_new_timeline(id.tenant, name));
  Tenant& tenant = tenants_.at(id.tenant);
  const TimelineRegistration registration{.id = id.timeline,
                                          .name = name,
                                          .ancestor = std::nullopt,
                                          .ancestor_lsn = {},
                                          .created_at = options_.clock->now(),
                                          .deleted = false};
  VARVE_TRY(change_tenant(tenant, [&](TenantManifest& manifest) -> Result<> {
    // Imports that never finished leave the list, and their names are free. One that is not known
    // here was registered by a call whose acknowledgement was lost.
    std::erase_if(manifest.timelines, [&](const TimelineRegistration& other) {
      const auto known = tenant.timelines.find(other.id);
      return !other.deleted && !other.ancestor &&
             (known == tenant.timelines.end() ||
              (!is_visible(known->second) && known->second.remote_head == 0));
    });
    // Deletions that were cut short after the last commit of the timeline's log.
    for (TimelineRegistration& other : manifest.timelines) {
      const auto known = tenant.timelines.find(other.id);
      if (known != tenant.timelines.end() && !is_visible(known->second)) other.deleted = true;
    }
    manifest.timelines.push_back(registration);
    return {};
  }));
  Timeline& timeline = tenant.timelines[id.timeline];
  timeline.registration = registration;
  if (options_.remote != nullptr) {
    VARVE_TRY(upload(tenant, draft.directory(), draft.manifest(), progress));
    timeline.remote_head = draft.manifest().head.sequence;
  }
  VARVE_TRY(draft.publish());
  timeline.local = std::move(draft.manifest());
  return describe(id, timeline);
}

Result<bool> TenantManager::upload(Tenant& tenant, const std::filesystem::path& directory,
                                   LocalManifest& local, const ByteProgress& progress) {
  VARVE_ASSIGN(const UploadResult result,
               upload_timeline(
                   *options_.remote,
                   {.directory = directory, .writer = tenant.local.writer, .take_ownership = false},
                   local, progress, options_.call));
  if (result.outcome == UploadOutcome::kFenced) {
    VARVE_TRY(fence_tenant(*options_.remote, tenant_directory(tenant.local.manifest.id),
                           tenant.local, result.other));
  }
  return result.outcome == UploadOutcome::kUploaded;
}

Result<bool> TenantManager::sync_timeline(const TenantTimelineId& id,
                                          const ByteProgress& progress) {
  VARVE_ASSIGN(Timeline* const timeline, usable_timeline(id));
  VARVE_ASSIGN(const LocalManifest* newest, newest_state(id, *timeline));
  Tenant& tenant = tenants_.at(id.tenant);
  if (options_.remote == nullptr || !timeline->local) return false;
  if (newest != &*timeline->local) {
    VARVE_TRY(download_timeline(*options_.remote, timeline_directory(id), *newest, progress,
                                options_.call));
    timeline->local = std::exchange(timeline->remote, std::nullopt);
    return true;
  }
  if (timeline->local->in_sync()) return false;
  VARVE_TRY(tenant.local.check_owned());
  const bool registered =
      tenant.local.head.sequence > 0 && tenant.local.manifest.find(id.timeline) != nullptr;
  if (!registered) {
    // It was made while no remote storage was configured.
    VARVE_TRY(change_tenant(tenant, [&](TenantManifest& manifest) -> Result<> {
      if (manifest.find(id.timeline) == nullptr) {
        manifest.timelines.push_back(timeline->registration.value_or(
            TimelineRegistration{.id = id.timeline, .created_at = options_.clock->now()}));
      }
      return {};
    }));
  }
  VARVE_ASSIGN(const bool uploaded,
               upload(tenant, timeline_directory(id), *timeline->local, progress));
  timeline->remote_head = timeline->local->head.sequence;
  return uploaded;
}

Result<> TenantManager::delete_timeline(const TenantTimelineId& id) {
  VARVE_ASSIGN(Timeline* const timeline, usable_timeline(id));
  Tenant& tenant = tenants_.at(id.tenant);
  VARVE_TRY(check_changeable(tenant));
  for (const TimelineRegistration& other : tenant.local.manifest.timelines) {
    if (!other.deleted && other.ancestor == id.timeline) {
      return make_error(ErrorCode::kConflict, "timeline {} has the branch {}: delete that first",
                        id, other.name.empty() ? other.id.to_string() : other.name);
    }
  }
  const auto directory = timeline_directory(id);
  if (options_.remote != nullptr && timeline->remote_head > 0) {
    VARVE_ASSIGN(const LocalManifest* newest, newest_state(id, *timeline));
    LocalManifest last = *newest;
    last.manifest.deleted = true;
    last.manifest.layers.clear();
    // The journal of the attempt needs a place even where nothing else of the timeline is local.
    VARVE_TRY(create_directories_durably(directory));
    VARVE_TRY(upload(tenant, directory, last, {}));
    timeline->local = std::move(last);
    timeline->remote.reset();
    timeline->remote_head = timeline->local->head.sequence;
  }
  VARVE_TRY(change_tenant(tenant, [&](TenantManifest& manifest) -> Result<> {
    for (TimelineRegistration& registration : manifest.timelines) {
      if (registration.id == id.timeline) registration.deleted = true;
    }
    return {};
  }));
  tenant.timelines.erase(id.timeline);
  return remove_tree(directory);
}

Result<std::unique_ptr<TimelineReader>> TenantManager::open_reader(
    const TenantTimelineId& id, const std::filesystem::path& scratch_parent) {
  VARVE_ASSIGN(Timeline* const timeline, usable_timeline(id));
  VARVE_ASSIGN(const LocalManifest* newest, newest_state(id, *timeline));
  return std::make_unique<TimelineReader>(
      newest->manifest, LayerCache::Options{.directory = timeline->local ? timeline_directory(id)
                                                                         : std::filesystem::path(),
                                            .log = {id.tenant, id.timeline},
                                            .remote = options_.remote,
                                            .scratch_parent = scratch_parent,
                                            .call = options_.call});
}

}  // namespace varve
