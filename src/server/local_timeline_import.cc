#include "server/local_timeline_import.h"

namespace varve {
namespace {

constexpr uint32_t kPostgresVersion = 15;

}  // namespace

Result<std::unique_ptr<LocalTimelineImport>> LocalTimelineImport::start(
    TenantManager& tenants, const NewTimeline& timeline) {
  VARVE_ASSIGN(const TenantInfo tenant, tenants.tenant(timeline.tenant));
  VARVE_TRY(tenants.check_new_timeline(tenant.id, timeline.name));
  VARVE_ASSIGN(TimelineDraft draft, tenants.start_timeline(tenant.id, timeline.image_lsn));
  return std::unique_ptr<LocalTimelineImport>(
      new LocalTimelineImport(tenants, timeline, std::move(draft)));
}

Result<Json> LocalTimelineImport::commit(const ImportedCluster& cluster, const CallOptions& call,
                                         const ByteProgress& uploaded) {
  VARVE_TRY(draft_.finish({.disk_consistent_lsn = cluster.last_record_lsn,
                           .previous_record_lsn = timeline_.image_lsn,
                           .gc_cutoff_lsn = timeline_.image_lsn,
                           .postgres_version = kPostgresVersion,
                           .system_identifier = cluster.system_identifier}));
  VARVE_ASSIGN(const TimelineInfo made,
               tenants_.commit_timeline(std::move(draft_), timeline_.name, uploaded, call));
  return to_json(made);
}

}  // namespace varve
