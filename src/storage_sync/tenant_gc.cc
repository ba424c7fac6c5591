#include "storage_sync/tenant_gc.h"

#include "storage_sync/object_reader.h"

namespace varve {
namespace {

// All but the head, which `log` must have.
std::vector<ListedObject> all_but_head(const ListedLog& log) {
  std::vector<ListedObject> objects(log.archives.begin(), log.archives.end() - 1);
  for (const auto* others : {&log.rivals, &log.packs}) {
    objects.insert(objects.end(), others->begin(), others->end());
  }
  return objects;
}

// The logs of which nothing but the head is to stay.
std::vector<LogName> logs_of(const LocalTenant& tenant) {
  std::vector<LogName> logs = {{tenant.manifest.id, {}}};
  for (const TimelineRegistration& timeline : tenant.manifest.timelines) {
    if (timeline.deleted) logs.push_back({tenant.manifest.id, timeline.id});
  }
  return logs;
}

Result<> check_owner(const LocalTenant& tenant) {
  // The owner of a deleted tenant goes on to clear up.
  if (!tenant.manifest.deleted) return tenant.check_owned();
  if (!tenant.writer.is_nil() && !tenant.fence && !tenant.attaching) return {};
  return make_error(ErrorCode::kConflict,
                    "tenant {} is deleted, and this server did not own it: nothing is deleted",
                    tenant.manifest.id);
}

// Whether the log of a timeline ends with its deletion.
Result<bool> ends_with_deletion(RemoteStorage& storage, const ListedLog& log,
                                const CallOptions& options) {
  VARVE_ASSIGN(const auto head, read_timeline_archive(storage, log.archives.back().name, options));
  const auto* const whole = std::get_if<TimelineManifest>(&head.manifest);
  return whole != nullptr && whole->deleted;
}

}  // namespace

bool has_tenant_garbage(const LocalTenant& tenant, const RemoteListing& listing) {
  for (const LogName& log : logs_of(tenant)) {
    const ListedLog* const listed = listing.find(log);
    if (listed != nullptr && !listed->archives.empty() && !all_but_head(*listed).empty()) {
      return true;
    }
  }
  return false;
}

Result<CollectedTenantGarbage> collect_tenant_garbage(const SyncContext& context,
                                                      KeptTenant& tenant,
                                                      const CallOptions& options) {
  const auto turn = tenant.take_commit_turn();
  const auto local = tenant.get();
  VARVE_TRY(check_owner(*local));
  VARVE_ASSIGN(const RemoteListing listing,
               list_remote(context.storage, tenant_prefix(local->manifest.id), options));
  const LogName own_log{local->manifest.id, {}};
  VARVE_TRY(check_head(own_log, local->head.sequence, listing.find(own_log)));

  CollectedTenantGarbage collected{.freed = {}, .complete = true, .head = local->head.sequence};
  std::vector<ListedObject> garbage;
  for (const LogName& log : logs_of(*local)) {
    const ListedLog* const listed = listing.find(log);
    if (listed == nullptr || listed->archives.empty()) continue;
    const auto superseded = all_but_head(*listed);
    if (superseded.empty()) continue;
    if (!is_older_than(context.options.grace_period, listed->archives.back(),
                       listing.storage_time)) {
      collected.complete = false;
      continue;
    }
    if (!log.is_tenant_log()) {
      VARVE_ASSIGN(const bool is_over, ends_with_deletion(context.storage, *listed, options));
      // An attempt to create it that came to nothing may have left anything.
      if (!is_over) continue;
    }
    garbage.insert(garbage.end(), superseded.begin(), superseded.end());
  }
  VARVE_TRY(remove_objects(context.storage, garbage, collected.freed, options));
  if (!collected.freed.failed.empty()) collected.complete = false;
  return collected;
}

}  // namespace varve
