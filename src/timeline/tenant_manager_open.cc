// Opening a work directory: what is here, what is remote, and what follows from the difference.
#include <spdlog/spdlog.h>

#include <set>

#include "base/logging.h"
#include "fs/directory.h"
#include "storage_sync/object_reader.h"
#include "timeline/tenant_manager.h"

namespace varve {
namespace {

Error rolled_back(std::string_view what, uint64_t remote, uint64_t local) {
  return make_error(
      ErrorCode::kCorrupted,
      "the remote log of {} ends at number {}, and this work directory has seen number {}: remote "
      "objects were deleted, or the remote storage is not the one that was used before",
      what, remote, local);
}

// The remote state has something that the local one lacks.
bool is_behind(const LocalManifest& local, const TimelineManifest& remote) {
  return local.manifest.metadata.disk_consistent_lsn < remote.metadata.disk_consistent_lsn ||
         remote.deleted;
}

// Whether the commit was begun in this directory. A journal that cannot be read proves nothing.
bool begun_in(const std::filesystem::path& directory, const Nonce& nonce) {
  const auto journal = NonceJournal::open(directory / kNonceJournalFileName);
  if (!journal.ok()) log_error("a journal of attempts is not used", journal.error());
  return journal.ok() && journal->contains(nonce);
}

}  // namespace

Result<TenantManager> TenantManager::open(Options options) {
  TenantManager manager(std::move(options));
  VARVE_TRY(manager.scan_local());
  if (manager.options_.remote != nullptr) VARVE_TRY(manager.compare_with_remote());
  manager.free_deleted();
  return manager;
}

Result<> TenantManager::scan_local() {
  const auto directory = options_.work_directory / "tenants";
  VARVE_ASSIGN(const bool any, path_exists(directory));
  if (!any) return {};
  VARVE_ASSIGN(const auto entries, list_directory(directory));
  for (const DirectoryEntry& entry : entries) {
    auto id = TenantId::parse(entry.name);
    if (!id.ok()) {
      log_error(fmt::format("{} is left alone", (directory / entry.name).string()), id.error());
      continue;
    }
    if (options_.only_tenant && options_.only_tenant != *id) continue;
    scan_tenant(*id);
  }
  return {};
}

void TenantManager::scan_tenant(const TenantId& id) {
  auto local = LocalTenant::read(tenant_directory(id));
  if (!local.ok()) {
    log_error(fmt::format("tenant {} is left alone", id), local.error());
    if (local.failed_with(ErrorCode::kNotFound)) return;
    Tenant& damaged = tenants_[id];
    damaged.local.manifest.id = id;
    damaged.damage = local.error();
    return;
  }
  Tenant& tenant = tenants_[id];
  tenant.local = *std::move(local);
  for (const TimelineRegistration& registration : tenant.local.manifest.timelines) {
    tenant.timelines[registration.id].registration = registration;
  }
  auto scanned = scan_timelines(id, tenant);
  if (scanned.ok()) return;
  log_error(fmt::format("tenant {} is left alone", id), scanned.error());
  tenant.damage = scanned.error();
}

Result<> TenantManager::scan_timelines(const TenantId& id, Tenant& tenant) {
  const auto directory = timelines_directory(id);
  VARVE_ASSIGN(const bool any, path_exists(directory));
  if (!any) return {};
  VARVE_ASSIGN(const auto entries, list_directory(directory));
  for (const DirectoryEntry& entry : entries) {
    const auto path = directory / entry.name;
    if (entry.name.ends_with(kDraftSuffix)) {
      spdlog::info("{} is left from an import that did not finish: it is removed", path.string());
      VARVE_TRY(remove_tree(path));
      continue;
    }
    auto timeline = TimelineId::parse(entry.name);
    if (!timeline.ok()) {
      log_error(fmt::format("{} is left alone", path.string()), timeline.error());
      continue;
    }
    scan_timeline({id, *timeline}, tenant);
  }
  return {};
}

void TenantManager::scan_timeline(const TenantTimelineId& id, Tenant& tenant) {
  auto local = LocalManifest::read(timeline_directory(id));
  Timeline& timeline = tenant.timelines[id.timeline];
  if (local.ok() && local->manifest.id != id) {
    local = make_error(ErrorCode::kCorrupted, "its metadata file is that of timeline {}",
                       local->manifest.id);
  }
  if (!local.ok()) {
    log_error(fmt::format("timeline {} is left alone", id), local.error());
    timeline.damage = local.error();
    return;
  }
  timeline.local = *std::move(local);
}

Result<> TenantManager::compare_with_remote() {
  const std::string prefix =
      options_.only_tenant ? tenant_prefix(*options_.only_tenant) : std::string(kTenantsPrefix);
  VARVE_ASSIGN(listing_, list_remote(options_.remote->storage, prefix, options_.call));
  std::set<TenantId> ids;
  for (const auto& [id, tenant] : tenants_) ids.insert(id);
  for (const TenantId& id : listing_.tenants()) ids.insert(id);
  for (const TenantId& id : ids) VARVE_TRY(compare_tenant(id));
  return {};
}

Result<> TenantManager::compare_tenant(const TenantId& id) {
  const LogName log{id, {}};
  const ListedLog* listed = listing_.find(log);
  const uint64_t remote_head = listed == nullptr ? 0 : listed->head_sequence();
  Tenant& tenant = tenants_[id];
  if (tenant.damage) return {};
  const uint64_t local_head = tenant.local.head.sequence;
  const bool known_here = !tenant.local.manifest.id.is_nil();
  tenant.local.manifest.id = id;
  if (remote_head < local_head || (!known_here && remote_head == 0)) {
    tenant.damage = rolled_back(fmt::format("tenant {}", id), remote_head, local_head);
    log_error(fmt::format("tenant {} is left alone", id), *tenant.damage);
    return {};
  }

  if (remote_head > local_head) {
    auto commit = read_tenant_commit(options_.remote->storage,
                                     ObjectName::archive(log, remote_head), options_.call);
    if (commit.failed_with(ErrorCode::kCorrupted)) {
      log_error(fmt::format("tenant {} is left alone", id), commit.error());
      tenant.damage = commit.error();
      return {};
    }
    if (!commit.ok()) return commit.error();
    const bool foreign = commit->manifest.stamp.writer != tenant.local.writer;
    if (!known_here && begun_in(tenant_directory(id), commit->manifest.stamp.nonce)) {
      // Created here, and the process died before it could note so.
      tenant.local.writer = commit->manifest.stamp.writer;
    } else if (foreign && !tenant.local.writer.is_nil() && !tenant.local.fence) {
      tenant.local.fence = Fence{commit->manifest.stamp.writer, commit->manifest.stamp.created_at};
      spdlog::warn("tenant {} was taken over by writer {} at {}", id, tenant.local.fence->writer,
                   tenant.local.fence->at.to_string());
    }
    tenant.local.head = {remote_head, commit->tail.trailer.checksum()};
    tenant.local.manifest = std::move(commit->manifest);
    for (const TimelineRegistration& registration : tenant.local.manifest.timelines) {
      tenant.timelines[registration.id].registration = registration;
    }
    VARVE_TRY(create_directories_durably(tenant_directory(id)));
    VARVE_TRY(tenant.local.write(tenant_directory(id)));
  }

  for (auto& [timeline_id, timeline] : tenant.timelines) {
    VARVE_TRY(compare_timeline({id, timeline_id}, tenant));
  }
  return {};
}

Result<> TenantManager::compare_timeline(const TenantTimelineId& id, Tenant& tenant) {
  const LogName log{id.tenant, id.timeline};
  const ListedLog* listed = listing_.find(log);
  Timeline& timeline = tenant.timelines[id.timeline];
  timeline.remote_head = listed == nullptr ? 0 : listed->head_sequence();
  if (timeline.damage && timeline.remote_head > 0) {
    spdlog::warn("timeline {} is read from the remote storage alone", id);
    timeline.damage.reset();
  }
  if (!timeline.local) return {};
  const uint64_t local_head = timeline.local->head.sequence;
  if (timeline.remote_head == local_head) return {};
  if (timeline.remote_head < local_head) {
    timeline.damage = rolled_back(fmt::format("timeline {}", id), timeline.remote_head, local_head);
    log_error(fmt::format("timeline {} is left alone", id), *timeline.damage);
    return {};
  }

  auto commit = read_timeline_commit(options_.remote->storage,
                                     ObjectName::archive(log, timeline.remote_head), options_.call);
  if (commit.failed_with(ErrorCode::kCorrupted)) {
    log_error(fmt::format("timeline {} is left alone", id), commit.error());
    timeline.damage = commit.error();
    return {};
  }
  if (!commit.ok()) return commit.error();
  const LogHead head{timeline.remote_head, commit->tail.trailer.checksum()};
  const CommitStamp& stamp = commit->manifest.stamp;
  const bool own = stamp.writer == tenant.local.writer;
  if (own && commit->manifest.deleted) {
    timeline.local = LocalManifest::from_commit(head, std::move(commit->manifest));
    return timeline.local->write(timeline_directory(id));
  }
  if (own && begun_in(timeline_directory(id), stamp.nonce)) {
    // Committed here, and the process died before it could note so.
    timeline.local->note_commit(head, commit->manifest);
    return timeline.local->write(timeline_directory(id));
  }
  if (!own && !tenant.local.writer.is_nil() && !tenant.local.fence) {
    auto fenced = fence_tenant(*options_.remote, tenant_directory(id.tenant), tenant.local, stamp);
    spdlog::warn("{}", fenced.error().message());
  }
  // An own commit that was not begun in this directory is newer than the directory, which is an old
  // copy. With another writer's, the local state may have parted from the log: it is kept, and the
  // fence keeps it from the storage.
  if (own || is_behind(*timeline.local, commit->manifest)) {
    timeline.remote = LocalManifest::from_commit(head, std::move(commit->manifest));
  }
  return {};
}

// What a deletion left that was cut short: its last commit has been made, and the files are of no
// use.
void TenantManager::free_deleted() {
  const auto free = [](const std::filesystem::path& directory) -> Result<> {
    VARVE_ASSIGN(const auto entries, list_directory(directory));
    for (const DirectoryEntry& entry : entries) {
      if (LayerName::parse(entry.name).ok()) VARVE_TRY(remove_file(directory / entry.name));
    }
    return {};
  };
  for (auto& [tenant_id, tenant] : tenants_) {
    for (auto& [timeline_id, timeline] : tenant.timelines) {
      const auto directory = timeline_directory({tenant_id, timeline_id});
      Result<> freed;
      if (timeline.registration && timeline.registration->deleted) {
        freed = remove_tree(directory);
      } else if (timeline.local && timeline.local->manifest.deleted) {
        // The metadata file stays until the tenant's log says it as well: it keeps the name free.
        freed = free(directory);
      }
      if (!freed.ok()) log_error("a deleted timeline keeps its files", freed.error());
    }
  }
}

}  // namespace varve
