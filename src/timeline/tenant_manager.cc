// What there is of tenants and timelines, how it stands, and how it is read.
#include "timeline/tenant_manager.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "runtime/parallel.h"
#include "storage_sync/object_reader.h"
#include "storage_sync/timeline_sync_runner.h"
#include "timeline/ancestry.h"

namespace varve {
namespace {

// A branch that is registered and has no log of its own yet is what its ancestor was.
std::optional<TimelineManifest> empty_branch(const TenantTimelineId& id,
                                             const KnownTimeline& timeline) {
  if (timeline.remote_head > 0 || !timeline.registration || !timeline.registration->ancestor) {
    return std::nullopt;
  }
  TimelineManifest manifest{.id = id};
  manifest.metadata.ancestor = timeline.registration->ancestor;
  manifest.metadata.ancestor_lsn = timeline.registration->ancestor_lsn;
  manifest.metadata.disk_consistent_lsn = timeline.registration->ancestor_lsn;
  return manifest;
}

}  // namespace

std::vector<TenantInfo> TenantManager::tenants() const {
  return directory_->tenants();
}

Result<TenantInfo> TenantManager::tenant(std::string_view id_or_name) const {
  return directory_->tenant(id_or_name);
}

Result<TenantManager::Standing> TenantManager::standing(const TenantTimelineId& id,
                                                        const KnownTimeline& timeline,
                                                        const CallOptions& call) const {
  if (timeline.damage) return timeline.damage->context(fmt::format("timeline {}", id));
  Standing standing{.local = directory_->local_state(id), .newest = nullptr};
  standing.newest = newest_known(standing.local, timeline);
  if (standing.newest != nullptr) return standing;
  if (auto empty = empty_branch(id, timeline)) {
    LocalManifest state;
    state.remote_consistent_lsn = empty->metadata.disk_consistent_lsn;
    state.manifest = *std::move(empty);
    standing.newest = std::make_shared<const LocalManifest>(std::move(state));
    return standing;
  }
  if (options_.remote == nullptr || timeline.remote_head == 0) {
    return make_error(ErrorCode::kNotFound, "timeline {} has no data", id);
  }
  VARVE_ASSIGN(auto commit, read_timeline_commit(options_.remote->storage, {id.tenant, id.timeline},
                                                 timeline.remote_head, call));
  standing.newest = std::make_shared<const LocalManifest>(
      LocalManifest::from_commit({timeline.remote_head, commit.tail.trailer.checksum()},
                                 std::move(commit.manifest), commit.stored));
  directory_->note_commit(id, standing.newest);
  return standing;
}

Result<TimelineInfo> TenantManager::describe(const TenantTimelineId& id,
                                             const KnownTimeline& timeline) const {
  VARVE_ASSIGN(const Standing standing, this->standing(id, timeline, options_.call));
  const auto& [local, newest] = standing;
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
  info.last_record_lsn = info.metadata.disk_consistent_lsn;
  info.remote_consistent_lsn = newest->remote_consistent_lsn;
  if (newest->head.sequence > 0) info.remote_at = newest->manifest.stamp.created_at;
  info.layer_count = shown.manifest.layers.size();
  for (const LayerEntry& layer : shown.manifest.layers) info.layer_bytes += layer.size;
  return info;
}

// Many at a time. What cannot be read is left to whoever asks for that one.
Result<> TenantManager::read_cloud_only(const TenantId& id) const {
  auto unread = directory_->timelines(id);
  std::erase_if(unread, [&](const auto& entry) {
    const auto& [timeline_id, timeline] = entry;
    return timeline.remote_head == 0 || directory_->local_state(timeline_id) != nullptr ||
           timeline.remote != nullptr;
  });
  if (unread.empty() || options_.remote == nullptr) return {};
  return run_parallel(unread.size(), SyncStartupOptions{}.parallel_reads, options_.call,
                      [&](size_t at, const CallOptions& call) -> Result<> {
                        const auto& [timeline_id, timeline] = unread[at];
                        auto read = standing(timeline_id, timeline, call);
                        if (read.ok() || read.failed_with(ErrorCode::kCorrupted) ||
                            !directory_->timeline(timeline_id).ok()) {
                          return {};
                        }
                        return read.error();
                      });
}

Result<std::vector<TimelineInfo>> TenantManager::timelines(const TenantId& tenant_id) const {
  VARVE_TRY(directory_->tenant(tenant_id));
  VARVE_TRY(read_cloud_only(tenant_id));
  std::vector<TimelineInfo> infos;
  for (const auto& [id, timeline] : directory_->timelines(tenant_id)) {
    // One damaged timeline does not hide the others; it was reported when it was found.
    if (timeline.damage) continue;
    auto info = describe(id, timeline);
    if (info.ok()) {
      infos.push_back(*std::move(info));
    } else if (info.failed_with(ErrorCode::kCorrupted)) {
      directory_->note_damage(id, info.error());
      spdlog::error("timeline {}: {}", id, info.error().message());
    } else if (directory_->timeline(id).ok()) {
      return info.error();
    }
  }
  std::ranges::sort(infos, [](const TimelineInfo& a, const TimelineInfo& b) {
    return std::tie(a.created_at, a.id) < std::tie(b.created_at, b.id);
  });
  return infos;
}

std::vector<TimelineInfo> TenantManager::local_timelines() const {
  std::vector<TimelineInfo> infos;
  for (const TenantInfo& tenant : directory_->tenants()) {
    for (const auto& [id, timeline] : directory_->timelines(tenant.id)) {
      if (directory_->local_state(id) == nullptr) continue;
      if (auto info = describe(id, timeline); info.ok()) infos.push_back(*std::move(info));
    }
  }
  return infos;
}

std::vector<TenantTimelineId> TenantManager::timeline_ids(const TenantId& tenant) const {
  std::vector<TenantTimelineId> ids;
  for (const auto& [id, timeline] : directory_->timelines(tenant)) ids.push_back(id);
  return ids;
}

Result<TimelineInfo> TenantManager::timeline(std::string_view address) const {
  VARVE_ASSIGN(const TenantTimelineId id, directory_->find_timeline(address));
  VARVE_ASSIGN(const KnownTimeline timeline, directory_->timeline(id));
  VARVE_ASSIGN(TimelineInfo info, describe(id, timeline));
  // Reading its newest commit may have shown that it was deleted.
  VARVE_TRY(directory_->timeline(id));
  return info;
}

Result<std::optional<SyncTask>> TenantManager::pending_task(const TenantTimelineId& id) const {
  return pending_task(id, options_.call);
}

Result<std::optional<SyncTask>> TenantManager::pending_task(const TenantTimelineId& id,
                                                            const CallOptions& call) const {
  std::optional<SyncTask> task;
  VARVE_ASSIGN(const KnownTimeline timeline, directory_->timeline(id));
  VARVE_ASSIGN(const Standing standing, this->standing(id, timeline, call));
  const auto& [local, newest] = standing;
  if (options_.remote == nullptr || local == nullptr) return task;
  if (local != newest) {
    task = SyncTask::download(id, newest->head.sequence);
  } else if (!local->in_sync()) {
    task = SyncTask::upload(id, checkpoint_of(*local));
  }
  return task;
}

Result<std::unique_ptr<TimelineReader>> TenantManager::open_reader(
    const TenantTimelineId& id, const std::filesystem::path& scratch_parent,
    ReadPattern pattern) const {
  const auto find = [&](const TimelineId& link) -> Result<TimelineManifest> {
    const TenantTimelineId link_id{id.tenant, link};
    VARVE_ASSIGN(const KnownTimeline timeline, directory_->timeline(link_id));
    VARVE_ASSIGN(const Standing standing, this->standing(link_id, timeline, options_.call));
    return standing.newest->manifest;
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
        TimelineReader::Options{.cache = std::move(cache),
                                .ancestor = std::move(reader),
                                .redo = options_.redo,
                                .is_retained = [&store = *store_, link_id](Lsn lsn) {
                                  return store.is_pinned(link_id, lsn);
                                }});
  }
  return reader;
}

}  // namespace varve
