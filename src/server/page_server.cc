#include "server/page_server.h"

#include <spdlog/spdlog.h>

#include "base/logging.h"
#include "remote_storage/prices.h"
#include "server/local_timeline_snapshot.h"
#include "storage_sync/remote_listing.h"
#include "timeline/kept_points.h"
#include "timeline/lag_metrics.h"

namespace varve {
namespace {

// Whoever asks for the status waits for it.
constexpr Duration kListingTimeout = std::chrono::seconds(5);

// The requests that change what is stored.
uint64_t changes(const RequestCounts& counts) {
  return counts.total(Operation::kPut) + counts.total(Operation::kMultipartComplete) +
         counts.total(Operation::kDelete);
}

uint64_t mebibytes(int count) {
  return static_cast<uint64_t>(count) << 20;
}

Timeline::Options timeline_options(const Settings& settings, std::shared_ptr<Redo> redo) {
  // One layer is filled while others are written.
  constexpr uint64_t kLayersInMemory = 3;
  const uint64_t memory = mebibytes(settings.memory_limit_mib);
  return {.checkpoint_distance =
              std::min(Timeline::Options().checkpoint_distance, memory / kLayersInMemory),
          .memory_limit = memory,
          .redo = std::move(redo)};
}

}  // namespace

Result<std::unique_ptr<PageServer>> PageServer::open(WorkDirectory directory, Options options) {
  std::unique_ptr<PageServer> server(new PageServer(std::move(directory)));
  server->settings_ = std::move(options.settings);
  VARVE_TRY(set_up_logging(server->settings_.log_level));
  server->call_ = options.call;
  server->counts_kept_ = server->directory_.read_request_counts();
  std::shared_ptr<Redo> redo = options.redo;
  if (redo == nullptr) {
    server->redo_ = std::make_unique<WalRedoService>(
        server->settings_,
        WalRedoService::Options{.scratch_directory = server->directory_.scratch_directory(),
                                .metrics = &server->metrics_,
                                .stop = options.call.stop});
    redo = server->redo_->redo();
  }
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
                           .redo = redo,
                           .call = options.call}));
  server->tenants_.emplace(std::move(tenants));
  OpenTimelines::Options timelines{
      .remote = server->remote_ ? &server->remote_->context() : nullptr,
      .timeline = timeline_options(server->settings_, redo),
      .scratch_parent = server->directory_.scratch_directory()};
  // Without a budget nothing is brought here unasked.
  if (server->eviction_limits().high > 0) timelines.remote_reads = std::make_shared<RemoteReads>();
  server->timelines_.emplace(*server->tenants_, std::move(timelines));
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

Result<std::unique_ptr<TimelineFeed>> PageServer::feed(const TenantTimelineId& id,
                                                       const CallOptions& call) {
  VARVE_ASSIGN(auto timeline, timelines_->open(id, call));
  if (timeline->is_fed()) {
    return make_error(ErrorCode::kConflict, "timeline {} is being fed already", id);
  }
  auto kept = tenants_->store().timeline(id);
  if (kept == nullptr) return make_error(ErrorCode::kNotFound, "timeline {} is gone", id);
  TimelineFeed::Options options{
      .maintenance = {.checkpoint_interval = std::chrono::seconds(settings_.rpo),
                      .checkpointed = [this, id] { schedule_pending_task(id); }}};
  if (remote_) options.upload_lag_limit = mebibytes(settings_.upload_lag_mib);
  return std::make_unique<TimelineFeed>(std::move(kept), std::move(timeline), system_clock(),
                                        system_random(), std::move(options));
}

Result<> PageServer::flush(const TenantTimelineId& id) {
  const auto open = timelines_->find(id);
  if (open == nullptr) return {};
  VARVE_TRY(open->checkpoint());
  schedule_pending_task(id);
  return {};
}

Result<TimelineInfo> PageServer::checkpoint(const TenantTimelineId& id, const CallOptions& call,
                                            const ByteProgress& progress) {
  if (const auto open = timelines_->find(id)) VARVE_TRY(open->checkpoint());
  VARVE_TRY(tenants_->sync_timeline(id, progress, call));
  return timeline(id.to_string());
}

Result<TimelineInfo> PageServer::branch(const TenantTimelineId& parent, const TimelinePoint& at,
                                        const std::string& name, const CallOptions& call) {
  VARVE_ASSIGN(const auto wanted, lsn_of(*timelines_, parent, at, call));
  // Nothing of it is given up before the tenant's log has the branch.
  VARVE_ASSIGN(auto snapshot, timelines_->open_snapshot(parent, wanted, {}, call));
  const bool is_in_memory =
      snapshot.timeline != nullptr && snapshot.timeline->disk_consistent_lsn() < snapshot.lsn;
  if (is_in_memory) VARVE_TRY(snapshot.timeline->checkpoint());
  auto made = tenants_->branch_timeline(parent, snapshot.lsn, name, call);
  keep_if_uncertain(made, std::move(snapshot));
  return made;
}

Result<TimelinePin> PageServer::pin(const TenantTimelineId& id, const TimelinePoint& at,
                                    const CallOptions& call) {
  VARVE_ASSIGN(const auto wanted, lsn_of(*timelines_, id, at, call));
  // Nothing of it is given up before the tenant's log has the pin.
  VARVE_ASSIGN(auto snapshot, timelines_->open_snapshot(id, wanted, {}, call));
  auto made = tenants_->pin_timeline(id, snapshot.lsn, call);
  keep_if_uncertain(made, std::move(snapshot));
  return made;
}

template <typename T>
void PageServer::keep_if_uncertain(const Result<T>& made, OpenTimelines::Snapshot snapshot) {
  if (made.ok() || !retryable(made.code())) return;
  const std::lock_guard lock(uncertain_mutex_);
  uncertain_snapshots_.push_back(std::move(snapshot));
}

Result<Lsn> PageServer::retention_cutoff(Timeline& timeline) const {
  const Lsn last = timeline.disk_consistent_lsn();
  if (!timeline.reader()->check_readable(last).ok()) return Lsn{0};
  const Lsn by_bytes{last.value - std::min(last.value, mebibytes(settings_.retention_mib))};
  if (settings_.retention_hours == 0) return by_bytes;
  constexpr int64_t kMicrosPerHour = 3'600'000'000;
  const Timestamp oldest{system_clock().now().micros - settings_.retention_hours * kMicrosPerHour};
  VARVE_ASSIGN(const auto by_time, find_lsn_at(timeline, oldest, last));
  // What is not known to be older is not.
  return by_time ? std::min(by_bytes, by_time->lsn) : Lsn{0};
}

Result<PageServer::CollectedTimelineGarbage> PageServer::collect_garbage(const TenantTimelineId& id,
                                                                         const CallOptions& call) {
  VARVE_ASSIGN(const auto timeline, timelines_->open(id, call));
  // It may be deleted or detached meanwhile.
  const auto tenant = tenants_->store().tenant(id.tenant);
  if (tenant == nullptr) return make_error(ErrorCode::kNotFound, "tenant {} is gone", id.tenant);
  VARVE_ASSIGN(const Lsn cutoff, retention_cutoff(*timeline));
  CollectedTimelineGarbage collected;
  VARVE_ASSIGN(collected.layers, timeline->collect_garbage(cutoff, [&] {
    return find_kept_points(tenant->get()->manifest, id.timeline);
  }));
  collected.oldest_lsn = timeline->reader()->view()->layers->manifest->metadata.gc_cutoff_lsn;
  if (!remote_) return collected;
  VARVE_TRY(tenants_->sync_timeline(id, {}, call));
  for (;;) {
    VARVE_ASSIGN(const auto moved, tenants_->repack_timeline(id, call));
    timeline->take_over_uploads();
    if (moved.layers == 0) break;
    collected.moved.layers += moved.layers;
    collected.moved.bytes += moved.bytes;
  }
  VARVE_ASSIGN(collected.remote, tenants_->collect_garbage(id, call));
  return collected;
}

Result<CollectedGarbage> PageServer::collect_tenant_garbage(const TenantId& id,
                                                            const CallOptions& call) {
  if (!tenants_->may_have_garbage(id)) return CollectedGarbage{};
  return tenants_->collect_tenant_garbage(id, call);
}

void PageServer::add_what_is_in_memory(TimelineInfo& timeline) const {
  const auto open = timelines_->find(timeline.id);
  if (open == nullptr) return;
  timeline.last_record_lsn = std::max(timeline.last_record_lsn, open->last_record_lsn());
}

Result<TimelineInfo> PageServer::timeline(std::string_view address) {
  VARVE_ASSIGN(TimelineInfo timeline, tenants_->timeline(address));
  add_what_is_in_memory(timeline);
  return timeline;
}

Result<std::vector<TimelineInfo>> PageServer::timelines(const TenantId& tenant) {
  VARVE_ASSIGN(auto timelines, tenants_->timelines(tenant));
  for (TimelineInfo& timeline : timelines) add_what_is_in_memory(timeline);
  return timelines;
}

bool PageServer::has_changed_layers(const TenantTimelineId& id) const {
  const auto tenant = tenants_->store().tenant(id.tenant);
  const auto kept = tenants_->store().timeline(id);
  if (tenant == nullptr || kept == nullptr || !tenant->get()->check_owned().ok()) return false;
  return timelines_->find(id) != nullptr || !kept->get()->manifest.retired.empty();
}

EvictionLimits PageServer::eviction_limits() const {
  EvictionLimits limits{.high = mebibytes(settings_.disk_high_mib),
                        .low = mebibytes(settings_.disk_low_mib)};
  if (limits.low == 0) limits.low = limits.high / 5 * 4;
  return limits;
}

Result<EvictionReport> PageServer::evict_layers(const CallOptions& call) {
  const EvictionLimits limits = eviction_limits();
  VARVE_ASSIGN(const EvictionReport report, varve::evict_layers(*timelines_, limits, call));
  if (limits.high == 0) return report;
  metrics_.gauge("varve_local_layer_bytes", "Of layer files in the work directory.")
      .set(static_cast<double>(report.local_bytes - report.freed.bytes));
  metrics_.counter("varve_evicted_layers_total", "Local copies of layers that were freed.")
      .add(static_cast<double>(report.freed.layers));
  if (report.freed.layers > 0) {
    spdlog::info("freed layers={} bytes={} of local_bytes={}", report.freed.layers,
                 report.freed.bytes, report.local_bytes);
  }
  return report;
}

Result<StatusReport> PageServer::status(const std::optional<std::string>& timeline) {
  StatusReport report;
  if (timeline) {
    VARVE_ASSIGN(TimelineInfo info, this->timeline(*timeline));
    report.timelines.push_back(std::move(info));
  } else {
    for (const TenantInfo& tenant : tenants_->tenants()) {
      VARVE_ASSIGN(auto timelines, timelines(tenant.id));
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

void PageServer::start_redo() {
  if (redo_) redo_->start();
}

void PageServer::stop_redo() {
  if (redo_) redo_->stop();
}

Result<> PageServer::close_timeline(const TenantTimelineId& id) {
  const auto open = timelines_->find(id);
  if (open != nullptr && open->is_fed()) {
    return make_error(ErrorCode::kConflict, "timeline {} is being fed: stop that first", id);
  }
  timelines_->close(id);
  return {};
}

Result<TenantInfo> PageServer::attach_tenant(const TenantId& id, const CallOptions& call) {
  // What was open may rest on a log that somebody else has gone on with.
  for (const TenantTimelineId& timeline : tenants_->timeline_ids(id)) {
    VARVE_TRY(close_timeline(timeline));
  }
  VARVE_ASSIGN(TenantInfo attached, tenants_->attach_tenant(id, call));
  if (engine_) {
    engine_->loop().tenant_attached(id);
    schedule_pending_tasks(id);
  }
  return attached;
}

Result<> PageServer::delete_timeline(const TenantTimelineId& id, const CallOptions& call) {
  VARVE_TRY(close_timeline(id));
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
  for (const TenantTimelineId& timeline : timelines) VARVE_TRY(close_timeline(timeline));
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
    if (timeline.id.tenant == tenant) schedule_pending_task(timeline.id);
  }
}

void PageServer::schedule_pending_task(const TenantTimelineId& id) {
  const auto task = tenants_->pending_task(id);
  if (!task.ok()) {
    log_error(fmt::format("what is left to do for timeline {}", id), task.error());
  } else if (*task && engine_) {
    engine_->loop().schedule(**task);
  }
}

}  // namespace varve
