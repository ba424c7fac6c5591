#include "timeline/tenant_manager.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "base/logging.h"
#include "fs/directory.h"
#include "runtime/parallel.h"
#include "storage_sync/attach.h"
#include "storage_sync/conditional_probe.h"
#include "storage_sync/object_reader.h"
#include "storage_sync/timeline_sync_runner.h"
#include "timeline/ancestry.h"

namespace varve {
namespace {

// A request that failed with this code may have been carried out all the same; see
// RemoteStorage::put.
bool may_have_landed(ErrorCode code) {
  return code != ErrorCode::kConflict && code != ErrorCode::kInvalidArgument &&
         code != ErrorCode::kDenied;
}

TaskProgress without_task(const ByteProgress& progress) {
  if (!progress) return {};
  return [&progress](const SyncTask&, uint64_t done, uint64_t total) { progress(done, total); };
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

// --- tenants ---

std::shared_ptr<const LocalTenant> TenantManager::local_tenant(const TenantId& id) const {
  const auto kept = store_->tenant(id);
  return kept == nullptr ? nullptr : kept->get();
}

TenantInfo TenantManager::describe(const TenantId& id, const KnownTenant& tenant) const {
  const auto local = local_tenant(id);
  return {.id = id,
          .name = local->manifest.name,
          .created_at = local->manifest.created_at,
          .owned = local->check_owned().ok(),
          .fence = local->fence,
          .timeline_count =
              static_cast<size_t>(std::ranges::count_if(tenant.timelines, [&](const auto& entry) {
                return is_visible({id, entry.first}, entry.second);
              }))};
}

std::vector<TenantInfo> TenantManager::tenants() const {
  std::vector<TenantInfo> infos;
  for (const auto& [id, tenant] : startup_.tenants) {
    if (!tenant.damage) infos.push_back(describe(id, tenant));
  }
  return infos;
}

Result<TenantInfo> TenantManager::tenant(std::string_view id_or_name) const {
  auto found = startup_.tenants.end();
  if (auto id = TenantId::parse(id_or_name); id.ok()) {
    found = startup_.tenants.find(*id);
  } else {
    VARVE_TRY(check_name(id_or_name).context("tenant"));
    found = std::ranges::find_if(startup_.tenants, [&](const auto& entry) {
      const auto uncertain = uncertain_names_.find(entry.first);
      if (uncertain != uncertain_names_.end()) return uncertain->second == id_or_name;
      const auto local = local_tenant(entry.first);
      return local != nullptr && local->manifest.name == id_or_name;
    });
  }
  if (found == startup_.tenants.end()) {
    return make_error(ErrorCode::kNotFound,
                      "there is no tenant '{}': 'varve tenant list' shows those that there are",
                      id_or_name);
  }
  const auto& [id, tenant] = *found;
  if (tenant.damage) return tenant.damage->context(fmt::format("tenant {}", id_or_name));
  return describe(id, tenant);
}

Result<KnownTenant*> TenantManager::usable_tenant(const TenantId& id) {
  VARVE_TRY(tenant(id.to_string()));
  return &startup_.tenants.at(id);
}

Result<> TenantManager::check_changeable(const TenantId& id) const {
  const auto local = local_tenant(id);
  VARVE_TRY(local->check_owned());
  if (options_.remote != nullptr || local->head.sequence == 0) return {};
  // The local copy of the log would part from the log itself.
  return make_error(ErrorCode::kConflict,
                    "tenant {} is kept in a remote storage, and none is configured: it can be "
                    "changed only with '--remote'",
                    id);
}

Result<> TenantManager::change_tenant(const TenantId& id, const TenantChange& change) {
  VARVE_TRY(check_changeable(id));
  const auto kept = store_->tenant(id);
  if (options_.remote != nullptr) {
    return commit_tenant(*options_.remote, *kept, change, options_.call);
  }
  return kept->change([&](LocalTenant& local) { return change(local.manifest); });
}

Result<TenantInfo> TenantManager::create_tenant(std::optional<TenantId> id,
                                                const std::string& name) {
  if (!name.empty()) VARVE_TRY(check_name(name));
  const TenantId tenant_id = id.value_or(options_.random->next_id<TenantId>());
  if (startup_.tenants.contains(tenant_id)) {
    return make_error(ErrorCode::kConflict, "tenant {} exists already", tenant_id);
  }
  if (!name.empty()) {
    const auto taken = tenant(name);
    if (!taken.failed_with(ErrorCode::kNotFound)) {
      return make_error(ErrorCode::kConflict,
                        "the name '{}' is taken by another tenant: choose another one", name);
    }
  }

  LocalTenant created;
  created.manifest.id = tenant_id;
  created.writer = options_.random->next_id<WriterId>();
  // Nobody else knows the ID. One that was given may be known elsewhere.
  if (!id) created.head_seen = options_.clock->boot_time();
  const auto directory = store_->tenant_directory(tenant_id);
  VARVE_TRY(create_directories_durably(directory));
  store_->add_tenant(std::move(created));
  auto done = change_tenant(tenant_id, [&](TenantManifest& manifest) -> Result<> {
    manifest.name = name;
    manifest.created_at = options_.clock->now();
    return {};
  });
  if (!done.ok() && options_.remote != nullptr && may_have_landed(done.code())) {
    // The journal stays: by it the next open knows the tenant for its own, if it is there.
    uncertain_names_[tenant_id] = name;
    startup_.tenants[tenant_id].damage =
        done.error().context("whether it was created is found out at the next start");
    return done.error();
  }
  if (done.ok()) done = check_storage_keeps_conditions(tenant_id);
  if (!done.ok()) {
    store_->forget_tenant(tenant_id);
    std::ignore = remove_tree(directory);
    return done.error();
  }
  return describe(tenant_id, startup_.tenants[tenant_id]);
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

Result<TenantInfo> TenantManager::attach_tenant(const TenantId& id) {
  VARVE_ASSIGN(KnownTenant* const tenant, usable_tenant(id));
  if (options_.remote == nullptr) {
    return make_error(ErrorCode::kInvalidArgument,
                      "tenant {} cannot be attached: no remote storage is configured", id);
  }
  VARVE_ASSIGN(const bool attached,
               varve::attach_tenant(*options_.remote, *store_, id, {.call = options_.call}));
  if (!attached) return describe(id, *tenant);
  for (const TimelineRegistration& registration : local_tenant(id)->manifest.timelines) {
    KnownTimeline& timeline = tenant->timelines[registration.id];
    timeline.registration = registration;
    timeline.remote.reset();
    const TenantTimelineId timeline_id{id, registration.id};
    if (const State local = local_state(timeline_id)) {
      timeline.remote_head = local->head.sequence;
      timeline.damage.reset();
      note_ready(timeline_id);
    }
  }
  return describe(id, *tenant);
}

// --- timelines ---

TenantManager::State TenantManager::local_state(const TenantTimelineId& id) const {
  const auto kept = store_->timeline(id);
  return kept == nullptr ? nullptr : kept->get();
}

TenantManager::State TenantManager::known_state(const TenantTimelineId& id,
                                                const KnownTimeline& timeline) const {
  State local = local_state(id);
  if (timeline.remote == nullptr) return local;
  // What was behind at the start may have been downloaded since.
  if (local != nullptr && local->head.sequence >= timeline.remote->head.sequence) return local;
  return timeline.remote;
}

Result<TenantManager::State> TenantManager::newest_state(const TenantTimelineId& id,
                                                         KnownTimeline& timeline) {
  if (timeline.damage) return timeline.damage->context(fmt::format("timeline {}", id));
  if (State known = known_state(id, timeline)) return known;
  if (auto empty = empty_branch(id, timeline)) {
    LocalManifest local;
    local.remote_consistent_lsn = empty->metadata.disk_consistent_lsn;
    local.manifest = *std::move(empty);
    return std::make_shared<const LocalManifest>(std::move(local));
  }
  if (options_.remote == nullptr || timeline.remote_head == 0) {
    return make_error(ErrorCode::kNotFound, "timeline {} has no data", id);
  }
  VARVE_ASSIGN(auto commit, read_timeline_commit(options_.remote->storage, {id.tenant, id.timeline},
                                                 timeline.remote_head, options_.call));
  timeline.remote = std::make_shared<const LocalManifest>(
      LocalManifest::from_commit({timeline.remote_head, commit.tail.trailer.checksum()},
                                 std::move(commit.manifest), commit.stored));
  return timeline.remote;
}

// A registration without data and without an ancestor is an import that did not finish.
bool TenantManager::is_visible(const TenantTimelineId& id, const KnownTimeline& timeline) const {
  if (timeline.registration && timeline.registration->deleted) return false;
  if (const State known = known_state(id, timeline)) return !known->manifest.deleted;
  if (timeline.damage) return true;
  return timeline.registration &&
         (timeline.remote_head > 0 || timeline.registration->ancestor.has_value());
}

bool TenantManager::name_is_taken(const TenantId& id, const std::string& name) const {
  return std::ranges::any_of(startup_.tenants.at(id).timelines, [&](const auto& entry) {
    const KnownTimeline& timeline = entry.second;
    return timeline.registration && timeline.registration->name == name &&
           is_visible({id, entry.first}, timeline);
  });
}

Result<TimelineInfo> TenantManager::describe(const TenantTimelineId& id, KnownTimeline& timeline) {
  VARVE_ASSIGN(const State newest, newest_state(id, timeline));
  const State local = local_state(id);
  const LocalManifest& shown = local != nullptr ? *local : *newest;
  TimelineInfo info{.id = id};
  if (timeline.registration) {
    info.name = timeline.registration->name;
    info.created_at = timeline.registration->created_at;
  }
  const auto reported = states_->find(id);
  if (local == nullptr) {
    info.state = TimelineSyncState::kCloudOnly;
  } else if (local != newest) {
    info.state = TimelineSyncState::kAwaitsDownload;
    info.sync_pending = true;
  } else {
    info.sync_pending = options_.remote != nullptr && !shown.in_sync();
  }
  if (reported && reported->state == TimelineSyncState::kEvicted) info.state = reported->state;
  info.metadata = shown.manifest.metadata;
  info.remote_consistent_lsn = newest->remote_consistent_lsn;
  if (newest->head.sequence > 0) info.remote_at = newest->manifest.stamp.created_at;
  info.layer_count = shown.manifest.layers.size();
  for (const LayerEntry& layer : shown.manifest.layers) info.layer_bytes += layer.size;
  return info;
}

// Many at a time. What cannot be read is left to whoever asks for that one.
Result<> TenantManager::read_cloud_only(const TenantId& id, KnownTenant& tenant) {
  std::vector<std::pair<TenantTimelineId, KnownTimeline*>> unread;
  for (auto& [timeline_id, timeline] : tenant.timelines) {
    const TenantTimelineId full_id{id, timeline_id};
    if (is_visible(full_id, timeline) && known_state(full_id, timeline) == nullptr &&
        timeline.remote_head > 0) {
      unread.emplace_back(full_id, &timeline);
    }
  }
  if (unread.empty() || options_.remote == nullptr) return {};
  return run_parallel(unread.size(), SyncStartupOptions{}.parallel_reads, options_.call,
                      [&](size_t at, const CallOptions&) -> Result<> {
                        const auto& [full_id, timeline] = unread[at];
                        auto state = newest_state(full_id, *timeline);
                        if (state.ok() || state.failed_with(ErrorCode::kCorrupted)) return {};
                        return state.error();
                      });
}

Result<std::vector<TimelineInfo>> TenantManager::timelines(const TenantId& tenant_id) {
  VARVE_ASSIGN(KnownTenant* const tenant, usable_tenant(tenant_id));
  VARVE_TRY(read_cloud_only(tenant_id, *tenant));
  std::vector<TimelineInfo> infos;
  for (auto& [timeline_id, timeline] : tenant->timelines) {
    const TenantTimelineId id{tenant_id, timeline_id};
    // One damaged timeline does not hide the others; it was reported when it was found.
    if (!is_visible(id, timeline) || timeline.damage) continue;
    auto info = describe(id, timeline);
    if (info.ok()) {
      infos.push_back(*std::move(info));
      continue;
    }
    if (!info.failed_with(ErrorCode::kCorrupted)) return info.error();
    timeline.damage = info.error();
    spdlog::error("timeline {}: {}", id, info.error().message());
  }
  std::ranges::sort(infos, [](const TimelineInfo& a, const TimelineInfo& b) {
    return std::tie(a.created_at, a.id) < std::tie(b.created_at, b.id);
  });
  return infos;
}

std::vector<TimelineInfo> TenantManager::local_timelines() {
  std::vector<TimelineInfo> infos;
  for (auto& [tenant_id, tenant] : startup_.tenants) {
    if (tenant.damage) continue;
    for (auto& [timeline_id, timeline] : tenant.timelines) {
      const TenantTimelineId id{tenant_id, timeline_id};
      if (local_state(id) == nullptr || !is_visible(id, timeline)) continue;
      if (auto info = describe(id, timeline); info.ok()) infos.push_back(*std::move(info));
    }
  }
  return infos;
}

Result<KnownTimeline*> TenantManager::usable_timeline(const TenantTimelineId& id) {
  VARVE_ASSIGN(KnownTenant* const tenant, usable_tenant(id.tenant));
  const auto found = tenant->timelines.find(id.timeline);
  if (found == tenant->timelines.end() || !is_visible(id, found->second)) {
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
    for (const auto& [timeline_id, timeline] : startup_.tenants.at(owner.id).timelines) {
      if (timeline.registration && timeline.registration->name == wanted &&
          is_visible({owner.id, timeline_id}, timeline)) {
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
  VARVE_ASSIGN(KnownTimeline* const timeline, usable_timeline(id));
  VARVE_ASSIGN(TimelineInfo info, describe(id, *timeline));
  // Reading its newest commit may have shown that it was deleted.
  VARVE_TRY(usable_timeline(id));
  return info;
}

Result<> TenantManager::check_new_timeline(const TenantId& tenant_id,
                                           const std::string& name) const {
  VARVE_TRY(tenant(tenant_id.to_string()));
  VARVE_TRY(check_changeable(tenant_id));
  if (name.empty()) return {};
  VARVE_TRY(check_name(name));
  if (!name_is_taken(tenant_id, name)) return {};
  return make_error(ErrorCode::kConflict,
                    "the name '{}' is taken by another timeline of tenant {}: choose another one",
                    name, tenant_id);
}

Result<TimelineDraft> TenantManager::start_timeline(const TenantId& tenant, Lsn image_lsn) {
  VARVE_ASSIGN(TimelineDraft draft,
               TimelineDraft::create({.id = {tenant, options_.random->next_id<TimelineId>()},
                                      .timelines_directory = store_->timelines_directory(tenant),
                                      .image_lsn = image_lsn,
                                      .layer_size = options_.layer_size}));
  // Nobody else knows the ID.
  draft.manifest().head_seen = options_.clock->boot_time();
  return draft;
}

Result<TimelineInfo> TenantManager::branch_timeline(const TenantTimelineId& parent, Lsn lsn,
                                                    const std::string& name) {
  VARVE_ASSIGN(KnownTimeline* const timeline, usable_timeline(parent));
  VARVE_TRY(check_new_timeline(parent.tenant, name));
  VARVE_ASSIGN(const State newest, newest_state(parent, *timeline));
  TimelineMetadata metadata = newest->manifest.metadata;
  if (lsn < metadata.gc_cutoff_lsn || metadata.disk_consistent_lsn < lsn) {
    return make_error(ErrorCode::kNotFound,
                      "LSN {} is not kept by timeline {}: a branch can begin from {} to {}", lsn,
                      parent, metadata.gc_cutoff_lsn, metadata.disk_consistent_lsn);
  }
  metadata.ancestor = parent.timeline;
  metadata.ancestor_lsn = lsn;
  metadata.disk_consistent_lsn = lsn;
  metadata.previous_record_lsn = std::min(metadata.previous_record_lsn, lsn);
  VARVE_ASSIGN(TimelineDraft draft, start_timeline(parent.tenant, lsn));
  VARVE_TRY(draft.finish(metadata));
  return commit_timeline(std::move(draft), name, {});
}

Result<TimelineInfo> TenantManager::commit_timeline(TimelineDraft draft, const std::string& name,
                                                    const ByteProgress& progress) {
  const TenantTimelineId id = draft.manifest().manifest.id;
  const TimelineMetadata& metadata = draft.manifest().manifest.metadata;
  VARVE_TRY(check_new_timeline(id.tenant, name));
  KnownTenant& tenant = startup_.tenants.at(id.tenant);
  const TimelineRegistration registration{.id = id.timeline,
                                          .name = name,
                                          .ancestor = metadata.ancestor,
                                          .ancestor_lsn = metadata.ancestor_lsn,
                                          .created_at = options_.clock->now(),
                                          .deleted = false};
  VARVE_TRY(change_tenant(id.tenant, [&](TenantManifest& manifest) -> Result<> {
    const auto is_gone = [&](const TimelineRegistration& other) {
      const TenantTimelineId other_id{id.tenant, other.id};
      const auto known = tenant.timelines.find(other.id);
      return known != tenant.timelines.end() && !is_visible(other_id, known->second);
    };
    // Imports that never finished leave the list, and their names are free. One that is not known
    // here was registered by a call whose acknowledgement was lost.
    std::erase_if(manifest.timelines, [&](const TimelineRegistration& other) {
      const auto known = tenant.timelines.find(other.id);
      return !other.deleted && !other.ancestor &&
             (known == tenant.timelines.end() ||
              (is_gone(other) && known->second.remote_head == 0));
    });
    // Deletions that were cut short after the last commit of the timeline's log.
    for (TimelineRegistration& other : manifest.timelines) {
      if (is_gone(other)) other.deleted = true;
    }
    manifest.timelines.push_back(registration);
    return {};
  }));
  KnownTimeline& timeline = tenant.timelines[id.timeline];
  timeline.registration = registration;
  if (options_.remote != nullptr) {
    KeptTimeline committed(draft.directory(), draft.manifest());
    auto uploaded = upload(committed, {}, progress);
    if (!uploaded.ok() && registration.ancestor && retryable(uploaded.code())) {
      // A branch is there once it is registered.
      log_error(fmt::format("timeline {} was made, and its log has yet to be begun", id),
                uploaded.error());
    } else {
      VARVE_TRY(uploaded);
    }
    draft.manifest() = *committed.get();
    timeline.remote_head = draft.manifest().head.sequence;
  }
  VARVE_TRY(draft.publish());
  store_->add_timeline(std::move(draft.manifest()));
  note_ready(id);
  return describe(id, timeline);
}

Result<> TenantManager::upload(KeptTimeline& timeline, UploadRequest request,
                               const ByteProgress& progress) {
  const auto tenant = store_->tenant(timeline.get()->manifest.id.tenant);
  request.writer = tenant->get()->writer;
  VARVE_ASSIGN(const UploadResult result,
               upload_timeline(*options_.remote, request, timeline, progress, options_.call));
  if (result.outcome != UploadOutcome::kFenced) return {};
  return fence_tenant(*options_.remote, *tenant, result.other);
}

void TenantManager::note_ready(const TenantTimelineId& id) {
  TimelineSyncStatus status{id, TimelineSyncState::kReady, std::nullopt};
  const State local = local_state(id);
  if (local->head.sequence > 0) status.remote_consistent_lsn = local->remote_consistent_lsn;
  states_->set_timeline_states({status});
}

Result<std::optional<SyncTask>> TenantManager::pending_task(const TenantTimelineId& id) {
  std::optional<SyncTask> task;
  VARVE_ASSIGN(KnownTimeline* const timeline, usable_timeline(id));
  VARVE_ASSIGN(const State newest, newest_state(id, *timeline));
  const State local = local_state(id);
  if (options_.remote == nullptr || local == nullptr) return task;
  if (local != newest) {
    task = SyncTask::download(id, newest->head.sequence);
  } else if (!local->in_sync()) {
    task = SyncTask::upload(id, checkpoint_of(*local));
  }
  return task;
}

Result<bool> TenantManager::sync_timeline(const TenantTimelineId& id,
                                          const ByteProgress& progress) {
  VARVE_ASSIGN(const auto task, pending_task(id));
  if (!task) return false;
  TimelineSyncRunner runner(*options_.remote, *store_, without_task(progress));
  VARVE_TRY(runner.run(*task, options_.call));
  note_ready(id);
  return true;
}

Result<> TenantManager::prefetch_timeline(const TenantTimelineId& id,
                                          const ByteProgress& progress) {
  VARVE_ASSIGN(KnownTimeline* const timeline, usable_timeline(id));
  VARVE_ASSIGN(const State newest, newest_state(id, *timeline));
  // What was never uploaded is here.
  if (options_.remote == nullptr || newest->head.sequence == 0) return {};
  TimelineSyncRunner runner(*options_.remote, *store_, without_task(progress));
  VARVE_TRY(runner.run(SyncTask::download(id, newest->head.sequence), options_.call));
  note_ready(id);
  return {};
}

Result<TenantManager::FreedLayers> TenantManager::drop_local_layers(const TenantTimelineId& id) {
  VARVE_TRY(usable_timeline(id));
  FreedLayers freed;
  const State local = local_state(id);
  if (local == nullptr) return freed;
  std::vector<LayerEntry> droppable;
  std::ranges::copy_if(local->manifest.layers, std::back_inserter(droppable),
                       [](const LayerEntry& layer) { return layer.stored.is_remote(); });
  if (options_.remote == nullptr || droppable.empty()) return freed;

  // This may be the last copy that is given up: the other one must be there.
  const LogName log{id.tenant, id.timeline};
  VARVE_ASSIGN(const RemoteListing listing,
               list_remote(options_.remote->storage, log.prefix(), options_.call));
  std::set<std::string> listed;
  if (const ListedLog* objects = listing.find(log)) {
    for (const ListedObject& object : objects->archives) listed.insert(object.name.file_name());
    for (const ListedObject& object : objects->packs) listed.insert(object.name.file_name());
  }
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

Result<CollectedGarbage> TenantManager::collect_garbage(const TenantTimelineId& id) {
  VARVE_TRY(usable_timeline(id));
  VARVE_TRY(check_changeable(id.tenant));
  const auto kept = store_->timeline(id);
  if (options_.remote == nullptr || kept == nullptr) {
    return make_error(ErrorCode::kConflict,
                      "timeline {} is not both here and in a remote storage: there is nothing to "
                      "compare",
                      id);
  }
  return collect_remote_garbage(*options_.remote, *kept, options_.call);
}

Result<> TenantManager::delete_timeline(const TenantTimelineId& id) {
  VARVE_ASSIGN(KnownTimeline* const timeline, usable_timeline(id));
  VARVE_TRY(check_changeable(id.tenant));
  for (const TimelineRegistration& other : local_tenant(id.tenant)->manifest.timelines) {
    if (!other.deleted && other.ancestor == id.timeline) {
      return make_error(ErrorCode::kConflict, "timeline {} has the branch {}: delete that first",
                        id, other.name.empty() ? other.id.to_string() : other.name);
    }
  }
  const auto directory = store_->timeline_directory(id);
  if (options_.remote != nullptr && timeline->remote_head > 0) {
    VARVE_ASSIGN(const State newest, newest_state(id, *timeline));
    // The journal of the attempt needs a place even where nothing else of the timeline is local.
    VARVE_TRY(create_directories_durably(directory));
    // From here on its state is a local one, also where the deletion fails: what the attempt finds
    // out about the log must not be forgotten, or the next one takes it for another server's.
    const auto kept =
        newest == local_state(id) ? store_->timeline(id) : store_->add_timeline(*newest);
    VARVE_TRY(upload(*kept, {.delete_timeline = true}, {}));
    timeline->remote.reset();
    timeline->remote_head = kept->get()->head.sequence;
  }
  VARVE_TRY(change_tenant(id.tenant, [&](TenantManifest& manifest) -> Result<> {
    for (TimelineRegistration& registration : manifest.timelines) {
      if (registration.id == id.timeline) registration.deleted = true;
    }
    return {};
  }));
  startup_.tenants.at(id.tenant).timelines.erase(id.timeline);
  store_->forget_timeline(id);
  states_->forget(id);
  return remove_tree(directory);
}

Result<std::unique_ptr<TimelineReader>> TenantManager::open_reader(
    const TenantTimelineId& id, const std::filesystem::path& scratch_parent, ReadPattern pattern) {
  const auto find = [&](const TimelineId& link) -> Result<TimelineManifest> {
    const TenantTimelineId link_id{id.tenant, link};
    VARVE_ASSIGN(KnownTimeline* const timeline, usable_timeline(link_id));
    if (auto empty = empty_branch(link_id, *timeline)) return *std::move(empty);
    VARVE_ASSIGN(const State newest, newest_state(link_id, *timeline));
    return newest->manifest;
  };
  VARVE_ASSIGN(auto chain, find_ancestry(id.timeline, find));

  std::unique_ptr<TimelineReader> reader;
  for (auto link = chain.rbegin(); link != chain.rend(); ++link) {
    const TenantTimelineId link_id = link->id;
    LayerCache::Options cache{.log = {link_id.tenant, link_id.timeline},
                              .remote = options_.remote,
                              .scratch_parent = scratch_parent,
                              .pattern = pattern,
                              .call = options_.call};
    if (store_->timeline(link_id) != nullptr) cache.directory = store_->timeline_directory(link_id);
    // Together they keep no more than a single timeline would.
    cache.kept_layers = std::max<size_t>(2, cache.kept_layers / chain.size());
    cache.kept_bytes /= chain.size();
    reader = std::make_unique<TimelineReader>(
        std::move(*link),
        TimelineReader::Options{.cache = std::move(cache), .ancestor = std::move(reader)});
  }
  return reader;
}

// A branch that is registered and has no log of its own yet is what its ancestor was.
std::optional<TimelineManifest> TenantManager::empty_branch(const TenantTimelineId& id,
                                                            const KnownTimeline& timeline) const {
  if (timeline.damage || timeline.remote_head > 0 || known_state(id, timeline) != nullptr ||
      !timeline.registration || !timeline.registration->ancestor) {
    return std::nullopt;
  }
  TimelineManifest manifest{.id = id};
  manifest.metadata.ancestor = timeline.registration->ancestor;
  manifest.metadata.ancestor_lsn = timeline.registration->ancestor_lsn;
  manifest.metadata.disk_consistent_lsn = timeline.registration->ancestor_lsn;
  return manifest;
}

}  // namespace varve
