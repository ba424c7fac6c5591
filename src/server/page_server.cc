#include "server/page_server.h"

#include <spdlog/spdlog.h>

#include "base/logging.h"
#include "fs/temporary_directory.h"
#include "layer/pipelined_sink.h"
#include "remote_storage/prices.h"
#include "storage_sync/remote_listing.h"
#include "timeline/lag_metrics.h"

namespace varve {
namespace {

constexpr uint32_t kPostgresVersion = 15;
// Whoever asks for the status waits for it.
constexpr Duration kListingTimeout = std::chrono::seconds(5);

// The requests that change what is stored.
uint64_t changes(const RequestCounts& counts) {
  return counts.total(Operation::kPut) + counts.total(Operation::kMultipartComplete) +
         counts.total(Operation::kDelete);
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

Result<std::unique_ptr<PageServer>> PageServer::open(WorkDirectory directory,
                                                     const Options& options) {
  std::unique_ptr<PageServer> server(new PageServer(std::move(directory)));
  server->settings_ = server->directory_.settings();
  options.overrides.apply(server->settings_);
  VARVE_TRY(check_settings(server->settings_));
  VARVE_TRY(set_up_logging(server->settings_.log_level));
  server->call_ = options.call;
  server->counts_kept_ = server->directory_.read_request_counts();
  if (!server->settings_.remote.empty()) {
    VARVE_ASSIGN(server->remote_,
                 RemoteAccess::open({.url = server->settings_.remote,
                                     .access = LocalFs::Access::kReadWrite,
                                     .initial_counts = server->counts_kept_,
                                     .compression_level = server->settings_.compression_level,
                                     .metrics = &server->metrics_}));
  }
  VARVE_ASSIGN(
      TenantManager tenants,
      TenantManager::open({.work_directory = server->directory_.path(),
                           .remote = server->remote_ ? &server->remote_->context() : nullptr,
                           .call = options.call}));
  server->tenants_.emplace(std::move(tenants));
  server->stored_bytes_ = server->tenants_->remote_listing().total_size;
  server->changes_listed_ = changes(server->request_counts());
  return server;
}

PageServer::~PageServer() {
  stop_sync();
  auto written = keep_request_counts();
  if (!written.ok()) log_error("the counts of requests were not kept", written.error());
}

RequestCounts PageServer::request_counts() const {
  if (remote_) return remote_->counts();
  const std::lock_guard lock(mutex_);
  return counts_kept_;
}

Result<> PageServer::keep_request_counts() {
  const RequestCounts counts = request_counts();
  {
    const std::lock_guard lock(mutex_);
    if (counts == counts_kept_) return {};
  }
  VARVE_TRY(directory_.write_request_counts(counts));
  const std::lock_guard lock(mutex_);
  counts_kept_ = counts;
  return {};
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
  report.requests = request_counts();
  report.cost_usd = cost_usd(report.requests);
  report.stored_bytes = stored_bytes();
  // A sync engine counts for itself, and this may be about one timeline only.
  if (!engine_) SyncMetrics(metrics_).set_remaining(report.queue_length);
  export_lag(report.timelines);
  report.metrics = metrics_.samples();
  return report;
}

// A start lists what is stored. What this process has changed since shows in another listing, which
// costs something, and is therefore left out as long as nothing was sent.
uint64_t PageServer::stored_bytes() {
  const uint64_t changes_now = changes(request_counts());
  uint64_t known = 0;
  {
    const std::lock_guard lock(mutex_);
    if (changes_now == changes_listed_) return stored_bytes_;
    known = stored_bytes_;
  }
  const CallOptions soon{.deadline = Deadline::after(kListingTimeout)};
  const auto listing = list_remote(remote_->context().storage, kTenantsPrefix, soon);
  if (!listing.ok()) {
    spdlog::warn("what is stored is told as it was before the last changes: {}",
                 listing.error().message());
    return known;
  }
  const std::lock_guard lock(mutex_);
  // Another listing may have begun later and come back earlier.
  if (changes_listed_ <= changes_now) {
    changes_listed_ = changes_now;
    stored_bytes_ = listing->total_size;
  }
  return stored_bytes_;
}

void PageServer::export_lag(const std::vector<TimelineInfo>& timelines) {
  const std::lock_guard lock(lag_mutex_);
  for (const TimelineInfo& info : timelines) {
    if (tenants_->has_timeline(info.id)) export_remote_lag(metrics_, info, system_clock().now());
  }
}

std::string PageServer::metrics_text() {
  export_lag(tenants_->local_timelines());
  return metrics_.text();
}

void PageServer::start_sync(SyncEngine::Options options, std::vector<TimelineSyncStatus> states,
                            const std::vector<SyncTask>& first_tasks) {
  if (!remote_) return;
  engine_.emplace(std::move(options), remote_->context(), tenants_->store(), tenants_->states(),
                  metrics_);
  engine_->start(std::move(states), first_tasks);
}

Result<TenantInfo> PageServer::attach_tenant(const TenantId& id, const CallOptions& call) {
  VARVE_ASSIGN(TenantInfo attached, tenants_->attach_tenant(id, call));
  if (engine_) {
    engine_->loop().tenant_attached(id);
    schedule_pending_tasks(id);
  }
  return attached;
}

Result<> PageServer::delete_timeline(const TenantTimelineId& id, const CallOptions& call) {
  if (engine_) engine_->loop().forget(id);
  auto deleted = tenants_->delete_timeline(id, call);
  if (deleted.ok()) {
    const std::lock_guard lock(lag_mutex_);
    forget_remote_lag(metrics_, id);
  } else if (engine_) {
    // It stays, and so does what is left to do for it.
    schedule_pending_tasks(id.tenant);
  }
  return deleted;
}

Result<> PageServer::detach_tenant(const TenantId& id, const CallOptions& call) {
  return give_up_tenant(id, [&] { return tenants_->detach_tenant(id, call); });
}

Result<> PageServer::delete_tenant(const TenantId& id, const CallOptions& call) {
  return give_up_tenant(id, [&] { return tenants_->delete_tenant(id, call); });
}

Result<> PageServer::give_up_tenant(const TenantId& id, const std::function<Result<>()>& change) {
  const auto timelines = tenants_->timeline_ids(id);
  for (const TenantTimelineId& timeline : timelines) {
    if (engine_) engine_->loop().forget(timeline);
  }
  auto done = change();
  if (done.ok()) {
    const std::lock_guard lock(lag_mutex_);
    for (const TenantTimelineId& timeline : timelines) forget_remote_lag(metrics_, timeline);
  } else if (engine_) {
    // What is still here goes on.
    schedule_pending_tasks(id);
  }
  return done;
}

void PageServer::schedule_pending_tasks(const TenantId& tenant) {
  for (const TimelineInfo& timeline : tenants_->local_timelines()) {
    if (timeline.id.tenant != tenant) continue;
    const auto task = tenants_->pending_task(timeline.id);
    if (!task.ok()) {
      log_error(fmt::format("what is left to do for timeline {}", timeline.id), task.error());
    } else if (*task) {
      engine_->loop().schedule(**task);
    }
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
