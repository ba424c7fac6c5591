#include "server/restore_cluster.h"

#include "fs/temporary_directory.h"
#include "server/local_timeline_snapshot.h"
#include "server/remote_access.h"
#include "server/wal_redo_service.h"

namespace varve {
namespace {

std::filesystem::path absolute_target(const RestoreRequest& request) {
  return std::filesystem::absolute(request.to).lexically_normal();
}

// On the disk of the target, beside it.
SnapshotRequest snapshot_request(const RestoreRequest& request) {
  const auto target = absolute_target(request);
  return {
      .timeline = request.timeline,
      .at = request.at,
      .scratch_parent =
          target.has_filename() ? target.parent_path() : target.parent_path().parent_path(),
      // The databases that are named may be a small part of the cluster.
      .pattern = request.options.databases.empty() ? ReadPattern::kEverything : ReadPattern::kPart};
}

Result<TenantTimelineId> timeline_id_of(const Json& timeline) {
  TenantTimelineId id;
  VARVE_ASSIGN(id.tenant, TenantId::parse(timeline.at("tenant_id").get<std::string>()));
  VARVE_ASSIGN(id.timeline, TimelineId::parse(timeline.at("timeline_id").get<std::string>()));
  return id;
}

Result<RestoreReport> restore(TimelineSnapshot& snapshot, const RestoreRequest& request,
                              const ProgressCallback& progress) {
  RestoreReport report{.timeline = snapshot.timeline(), .summary = {}, .fetched = {}};
  ExportOptions options = request.options;
  // What was left out is no state of the timeline.
  if (options.databases.empty()) {
    VARVE_ASSIGN(options.timeline, timeline_id_of(report.timeline));
  }
  VARVE_ASSIGN(report.summary, export_data_directory(snapshot, snapshot.lsn(),
                                                     absolute_target(request), options, progress));
  VARVE_ASSIGN(report.fetched, snapshot.fetched());
  return report;
}

}  // namespace

Json to_json(const RestoreReport& restore) {
  Json json{{"timeline", restore.timeline},
            {"lsn", restore.summary.lsn.to_string()},
            {"checkpoint_lsn", restore.summary.checkpoint_lsn.to_string()},
            {"system_identifier", std::to_string(restore.summary.system_identifier)},
            {"bytes", restore.summary.bytes},
            {"files", restore.summary.files},
            {"relations", restore.summary.relations},
            {"databases", restore.summary.databases},
            {"empty_databases", restore.summary.empty_databases},
            {"layers_fetched", restore.fetched.layers},
            {"layer_bytes_fetched", restore.fetched.bytes}};
  if (restore.requests) json["requests"] = to_json(*restore.requests);
  return json;
}

Result<RestoreReport> restore_cluster(PageService& service, const RestoreRequest& request,
                                      const ProgressCallback& progress) {
  VARVE_ASSIGN(const auto snapshot, service.open_snapshot(snapshot_request(request)));
  return restore(*snapshot, request, progress);
}

Result<RestoreReport> restore_from_remote(const Settings& settings, const RestoreRequest& request,
                                          const CallOptions& call,
                                          const ProgressCallback& progress) {
  VARVE_ASSIGN(const auto remote, RemoteAccess::open({.url = settings.remote}));
  VARVE_ASSIGN(const TemporaryDirectory nothing_local, TemporaryDirectory::create());
  const WalRedoService redo(settings, {.stop = call.stop});
  TenantManager::Options options{.work_directory = nothing_local.path(),
                                 .remote = &remote->context(),
                                 .redo = redo.redo(),
                                 .call = call};
  // With an ID there is no need to look at the other tenants for a name.
  const auto tenant = TenantId::parse(request.timeline.substr(0, request.timeline.find('/')));
  if (tenant.ok()) options.only_tenant = *tenant;
  VARVE_ASSIGN(TenantManager tenants, TenantManager::open(std::move(options)));
  OpenTimelines timelines(tenants, {.remote = &remote->context(),
                                    .timeline = {.redo = redo.redo()},
                                    .scratch_parent = nothing_local.path()});
  VARVE_ASSIGN(const auto snapshot,
               LocalTimelineSnapshot::open(timelines, snapshot_request(request), call));
  VARVE_ASSIGN(RestoreReport report, restore(*snapshot, request, progress));
  report.requests = remote->counts();
  return report;
}

}  // namespace varve
