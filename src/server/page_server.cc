#include "server/page_server.h"

#include <spdlog/spdlog.h>

#include "base/logging.h"
#include "fs/temporary_directory.h"
#include "layer/pipelined_sink.h"
#include "remote_storage/prices.h"
#include "timeline/lag_metrics.h"

namespace varve {
namespace {

constexpr uint32_t kPostgresVersion = 15;

bool reached(const TimelineInfo& timeline, Lsn lsn, WaitFor what) {
  return lsn <= (what == WaitFor::kRemote ? timeline.remote_consistent_lsn
                                          : timeline.metadata.disk_consistent_lsn);
}

Result<RestoreReport> restore_timeline(TenantManager& tenants, const RestoreRequest& request,
                                       const ProgressCallback& progress) {
  RestoreReport report;
  VARVE_ASSIGN(report.timeline, tenants.timeline(request.timeline));
  const auto target = std::filesystem::absolute(request.to).lexically_normal();
  const auto parent =
      target.has_filename() ? target.parent_path() : target.parent_path().parent_path();
  VARVE_ASSIGN(const auto reader,
               tenants.open_reader(report.timeline.id, parent, ReadPattern::kEverything));
  const Lsn lsn = request.lsn.value_or(reader->metadata().disk_consistent_lsn);
  VARVE_TRY(reader->check_readable(lsn));
  VARVE_ASSIGN(report.summary,
               export_data_directory(*reader, lsn, target, request.options, progress));
  report.fetched = reader->fetched();
  return report;
}

}  // namespace

Result<std::unique_ptr<PageServer>> PageServer::open(const Options& options) {
  VARVE_ASSIGN(WorkDirectory directory, WorkDirectory::open(options.work_directory));
  std::unique_ptr<PageServer> server(new PageServer(std::move(directory)));
  server->settings_ = server->directory_.settings();
  options.overrides.apply(server->settings_);
  VARVE_TRY(check_settings(server->settings_));
  VARVE_TRY(set_up_logging(server->settings_.log_level));
  server->call_ = options.call;
  server->counts_at_start_ = server->directory_.read_request_counts();
  if (!server->settings_.remote.empty()) {
    VARVE_ASSIGN(server->remote_,
                 RemoteAccess::open({.url = server->settings_.remote,
                                     .access = LocalFs::Access::kReadWrite,
                                     .initial_counts = server->counts_at_start_,
                                     .compression_level = server->settings_.compression_level,
                                     .metrics = &server->metrics_}));
  }
  VARVE_ASSIGN(
      TenantManager tenants,
      TenantManager::open({.work_directory = options.work_directory,
                           .remote = server->remote_ ? &server->remote_->context() : nullptr,
                           .call = options.call}));
  server->tenants_.emplace(std::move(tenants));
  return server;
}

PageServer::~PageServer() {
  if (!remote_ || remote_->counts() == counts_at_start_) return;
  auto written = directory_.write_request_counts(remote_->counts());
  if (!written.ok()) log_error("the counts of requests were not kept", written.error());
}

Result<TimelineInfo> PageServer::import_timeline(const std::string& tenant_name,
                                                 const std::string& name,
                                                 const std::filesystem::path& data_directory,
                                                 const ImportOptions& options,
                                                 const ProgressCallback& import_progress,
                                                 const ByteProgress& upload_progress) {
  VARVE_ASSIGN(const TenantInfo tenant, tenants_->tenant(tenant_name));
  VARVE_TRY(tenants_->check_new_timeline(tenant.id, name));
  VARVE_ASSIGN(const DataDirectory source, DataDirectory::open(data_directory));
  VARVE_ASSIGN(TimelineDraft draft,
               tenants_->start_timeline(tenant.id, source.control_file().checkpoint_lsn()));
  PipelinedSink writer(draft);
  VARVE_ASSIGN(const ImportSummary summary,
               import_data_directory(source, writer, options, import_progress));
  VARVE_TRY(writer.finish());
  for (const std::string& path : summary.skipped) {
    spdlog::warn("{} is no file that a backup can hold: it will not be restored",
                 (data_directory / path).string());
  }
  VARVE_TRY(draft.finish({.disk_consistent_lsn = summary.last_record_lsn,
                          .previous_record_lsn = summary.image_lsn,
                          .gc_cutoff_lsn = summary.image_lsn,
                          .postgres_version = kPostgresVersion,
                          .system_identifier = summary.system_identifier}));
  VARVE_ASSIGN(TimelineInfo timeline,
               tenants_->commit_timeline(std::move(draft), name, upload_progress));
  spdlog::info("imported {} bytes in {} relations of {} databases as timeline {}", summary.bytes,
               summary.relations, summary.databases, timeline.id);
  return timeline;
}

Result<StatusReport> PageServer::status(const std::optional<std::string>& timeline) {
  StatusReport report;
  if (timeline) {
    VARVE_ASSIGN(TimelineInfo info, tenants_->timeline(*timeline));
    report.timelines.push_back(std::move(info));
  } else {
    for (const TenantInfo& tenant : tenants_->tenants()) {
      VARVE_ASSIGN(auto timelines, tenants_->timelines(tenant.id));
      std::ranges::move(timelines, std::back_inserter(report.timelines));
    }
  }
  report.queue_length =
      static_cast<size_t>(std::ranges::count_if(report.timelines, &TimelineInfo::sync_pending));
  report.requests = remote_ ? remote_->counts() : counts_at_start_;
  report.cost_usd = cost_usd(report.requests);
  report.stored_bytes = tenants_->remote_listing().total_size;
  SyncMetrics(metrics_).set_remaining(report.queue_length);
  for (const TimelineInfo& info : report.timelines) {
    export_remote_lag(metrics_, info, system_clock().now());
  }
  report.metrics = metrics_.samples();
  return report;
}

Result<TimelineInfo> PageServer::wait(const std::string& timeline, Lsn lsn, WaitFor what,
                                      const CallOptions& call, const ByteProgress& progress) {
  VARVE_ASSIGN(TimelineInfo info, tenants_->timeline(timeline));
  if (reached(info, lsn, what)) return info;
  VARVE_ASSIGN(auto task, tenants_->pending_task(info.id));
  if (task) {
    TaskProgress task_progress;
    if (progress) {
      task_progress = [&](const SyncTask&, uint64_t done, uint64_t total) {
        progress(done, total);
      };
    }
    SyncEngine engine({.progress = task_progress}, remote_->context(), tenants_->store(),
                      tenants_->states(), metrics_);
    engine.start({}, {*task});
    VARVE_TRY(wait_until_synced(info.id, call)
                  .context(fmt::format("wait of timeline {} for {}", timeline, lsn)));
    VARVE_ASSIGN(info, tenants_->timeline(timeline));
    if (reached(info, lsn, what)) return info;
  }
  return make_error(ErrorCode::kConflict,
                    "timeline {} is at {} ({} remote), nothing feeds it, and it will not reach {}",
                    timeline, info.metadata.disk_consistent_lsn, info.remote_consistent_lsn, lsn);
}

// Until nothing is left to do; an error that would only come again ends it.
Result<> PageServer::wait_until_synced(const TenantTimelineId& id, const CallOptions& call) {
  uint64_t seen = 0;
  for (;;) {
    VARVE_ASSIGN(const auto task, tenants_->pending_task(id));
    if (!task) return {};
    const auto failure = tenants_->states().last_failure(id);
    if (failure && !retryable(failure->code())) return *failure;
    VARVE_ASSIGN(seen, tenants_->states().wait_for_report(seen, system_clock(), call));
  }
}

Result<RestoreReport> PageServer::restore(const RestoreRequest& request,
                                          const ProgressCallback& progress) {
  return restore_timeline(*tenants_, request, progress);
}

Result<RestoreReport> restore_from_remote(const std::string& url, const RestoreRequest& request,
                                          const CallOptions& call,
                                          const ProgressCallback& progress) {
  VARVE_ASSIGN(const auto remote, RemoteAccess::open({.url = url}));
  VARVE_ASSIGN(const TemporaryDirectory nothing_local, TemporaryDirectory::create());
  TenantManager::Options options{
      .work_directory = nothing_local.path(), .remote = &remote->context(), .call = call};
  // With an ID there is no need to look at the other tenants for a name.
  const auto tenant = TenantId::parse(request.timeline.substr(0, request.timeline.find('/')));
  if (tenant.ok()) options.only_tenant = *tenant;
  VARVE_ASSIGN(TenantManager tenants, TenantManager::open(std::move(options)));
  VARVE_ASSIGN(RestoreReport report, restore_timeline(tenants, request, progress));
  report.requests = remote->counts();
  return report;
}

}  // namespace varve
