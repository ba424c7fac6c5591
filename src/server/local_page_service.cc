#include "server/local_page_service.h"

#include "server/local_timeline_import.h"
#include "server/local_timeline_snapshot.h"

namespace varve {
namespace {

// At a timeline that is fed.
constexpr Duration kLookEvery = std::chrono::milliseconds(50);

bool reached(const TimelineInfo& timeline, const WaitRequest& request) {
  switch (request.goal) {
    case WaitGoal::kIngested:
      return request.lsn <= timeline.last_record_lsn;
    case WaitGoal::kCheckpointed:
      return request.lsn <= timeline.metadata.disk_consistent_lsn;
    case WaitGoal::kRemote:
      return request.lsn <= timeline.remote_consistent_lsn;
  }
  return false;
}

TaskProgress without_task(const ByteProgress& progress) {
  if (!progress) return {};
  return [&progress](const SyncTask&, uint64_t done, uint64_t total) { progress(done, total); };
}

// Stops at the end of a scope the sync engine that was started in it.
class SyncForOneWait {
 public:
  explicit SyncForOneWait(PageServer& server) : server_(server) {}
  ~SyncForOneWait() {
    if (started_) server_.stop_sync();
  }
  SyncForOneWait(const SyncForOneWait&) = delete;
  SyncForOneWait& operator=(const SyncForOneWait&) = delete;

  void start(const SyncTask& task, const ByteProgress& progress) {
    server_.start_sync({.progress = without_task(progress)}, {}, {task});
    started_ = true;
  }

 private:
  PageServer& server_;
  bool started_ = false;
};

}  // namespace

LocalPageService::LocalPageService(std::unique_ptr<PageServer> server)
    : server_(std::move(server)), protection_(*server_) {}

Json LocalPageService::describe(const TimelineInfo& timeline) const {
  Json json = to_json(timeline);
  if (const auto primary = protection_.status(timeline.id)) json["primary"] = to_json(*primary);
  return json;
}

Result<> LocalPageService::check_unprotected(const TenantId& tenant) const {
  for (const TenantTimelineId& timeline : server_->tenants().timeline_ids(tenant)) {
    VARVE_TRY(protection_.check_unprotected(timeline));
  }
  return {};
}

void LocalPageService::start_sync(Duration stop_timeout) {
  TenantManager& tenants = server_->tenants();
  server_->start_sync({.loop = {.shutdown_timeout = stop_timeout}}, tenants.states_at_start(),
                      tenants.first_tasks());
}

void LocalPageService::end_sync() {
  if (SyncLoop* const loop = server_->sync_loop()) loop->shutdown();
}

Result<Json> LocalPageService::tenants() {
  return to_json_array(server_->tenants().tenants());
}

Result<Json> LocalPageService::timelines(const std::string& tenant) {
  VARVE_ASSIGN(const TenantInfo owner, server_->tenants().tenant(tenant));
  VARVE_ASSIGN(const auto timelines, server_->timelines(owner.id));
  Json array = Json::array();
  for (const TimelineInfo& timeline : timelines) array.push_back(describe(timeline));
  return array;
}

Result<Json> LocalPageService::tenant(const std::string& tenant) {
  VARVE_ASSIGN(const TenantInfo found, server_->tenants().tenant(tenant));
  return to_json(found);
}

Result<Json> LocalPageService::timeline(const std::string& timeline) {
  VARVE_ASSIGN(const TimelineInfo found, server_->timeline(timeline));
  return describe(found);
}

Result<Json> LocalPageService::create_tenant(const NewTenant& tenant) {
  VARVE_ASSIGN(const TenantInfo made, server_->tenants().create_tenant(tenant.id, tenant.name));
  return to_json(made);
}

Result<Json> LocalPageService::attach_tenant(const std::string& tenant) {
  VARVE_ASSIGN(const TenantInfo found, server_->tenants().tenant(tenant));
  VARVE_ASSIGN(const TenantInfo attached, server_->attach_tenant(found.id));
  return to_json(attached);
}

Result<Json> LocalPageService::detach_tenant(const std::string& tenant, const CallOptions& call) {
  VARVE_ASSIGN(const TenantInfo found, server_->tenants().tenant(tenant));
  VARVE_TRY(check_unprotected(found.id));
  VARVE_TRY(server_->detach_tenant(found.id, call));
  return this->tenant(found.id.to_string());
}

Result<Json> LocalPageService::delete_tenant(const std::string& tenant, const CallOptions& call) {
  VARVE_ASSIGN(const TenantInfo found, server_->tenants().tenant(tenant));
  VARVE_TRY(check_unprotected(found.id));
  VARVE_TRY(server_->delete_tenant(found.id, call));
  return Json{{"tenant_id", found.id.to_string()}, {"deleted", true}};
}

Result<std::unique_ptr<TimelineImport>> LocalPageService::start_import(
    const NewTimeline& timeline) {
  VARVE_ASSIGN(auto import, LocalTimelineImport::start(server_->tenants(), timeline));
  return std::unique_ptr<TimelineImport>(std::move(import));
}

Result<Json> LocalPageService::branch(const NewBranch& branch) {
  VARVE_ASSIGN(const TimelineInfo parent, server_->timeline(branch.parent));
  VARVE_ASSIGN(const TimelineInfo made, server_->branch(parent.id, branch.at, branch.name, {}));
  return to_json(made);
}

Result<std::unique_ptr<TimelineSnapshot>> LocalPageService::open_snapshot(
    const SnapshotRequest& request) {
  VARVE_ASSIGN(auto snapshot, LocalTimelineSnapshot::open(server_->timelines(), request, {}));
  return std::unique_ptr<TimelineSnapshot>(std::move(snapshot));
}

Result<Json> LocalPageService::lsn_at(const std::string& timeline, Timestamp time) {
  VARVE_ASSIGN(const TimelineInfo info, server_->timeline(timeline));
  VARVE_ASSIGN(const TimedLsn found, varve::lsn_at(server_->timelines(), info.id, time, {}));
  return to_json(info.id, found);
}

Result<Json> LocalPageService::checkpoint(const std::string& timeline, const CallOptions& call,
                                          const ByteProgress& progress) {
  VARVE_ASSIGN(const TimelineInfo found, server_->timeline(timeline));
  VARVE_ASSIGN(const TimelineInfo now, server_->checkpoint(found.id, call, progress));
  return describe(now);
}

Result<Json> LocalPageService::prefetch(const std::string& timeline, const CallOptions& call,
                                        const ByteProgress& progress) {
  VARVE_ASSIGN(const TimelineInfo found, server_->timeline(timeline));
  VARVE_TRY(server_->tenants().prefetch_timeline(found.id, progress, call));
  return this->timeline(found.id.to_string());
}

Result<Json> LocalPageService::drop_local(const std::string& timeline) {
  VARVE_ASSIGN(const TimelineInfo found, server_->timeline(timeline));
  VARVE_ASSIGN(const auto freed, server_->timelines().drop_local_layers(found.id, {}));
  return to_json(found.id, freed);
}

Result<Json> LocalPageService::collect_garbage(const std::string& timeline,
                                               const CallOptions& call) {
  VARVE_ASSIGN(const TimelineInfo found, server_->timeline(timeline));
  VARVE_ASSIGN(auto collected, server_->collect_garbage(found.id, call));
  VARVE_ASSIGN(const auto of_tenant, server_->collect_tenant_garbage(found.id.tenant, call));
  collected.remote.add(of_tenant);
  return to_json(found.id, collected);
}

Result<Json> LocalPageService::pin(const PinRequest& pin) {
  VARVE_ASSIGN(const TimelineInfo found, server_->timeline(pin.timeline));
  VARVE_ASSIGN(const TimelinePin made, server_->pin(found.id, pin.at, {}));
  return to_json(found.id.tenant, made);
}

Result<Json> LocalPageService::pins(const std::string& timeline) {
  VARVE_ASSIGN(const TimelineInfo found, server_->timeline(timeline));
  VARVE_ASSIGN(const auto pins, server_->tenants().pins(found.id));
  Json array = Json::array();
  for (const TimelinePin& pin : pins) array.push_back(to_json(found.id.tenant, pin));
  return array;
}

Result<Json> LocalPageService::unpin(const std::string& timeline, Lsn lsn) {
  VARVE_ASSIGN(const TimelineInfo found, server_->timeline(timeline));
  VARVE_TRY(server_->tenants().unpin_timeline(found.id, lsn));
  return Json{{"tenant_id", found.id.tenant.to_string()},
              {"timeline_id", found.id.timeline.to_string()},
              {"lsn", lsn.to_string()},
              {"unpinned", true}};
}

Result<Json> LocalPageService::delete_timeline(const std::string& timeline) {
  VARVE_ASSIGN(const TimelineInfo found, server_->timeline(timeline));
  VARVE_TRY(protection_.check_unprotected(found.id));
  VARVE_TRY(server_->delete_timeline(found.id));
  return Json{{"tenant_id", found.id.tenant.to_string()},
              {"timeline_id", found.id.timeline.to_string()},
              {"deleted", true}};
}

Result<Json> LocalPageService::status(const std::optional<std::string>& timeline) {
  VARVE_ASSIGN(const StatusReport report, server_->status(timeline));
  Json json = to_json(report);
  json["timelines"] = Json::array();
  for (const TimelineInfo& each : report.timelines) json["timelines"].push_back(describe(each));
  return json;
}

Result<Json> LocalPageService::protect(const NewProtection& protection, const CallOptions& call,
                                       const ByteProgress& progress) {
  VARVE_ASSIGN(const TimelineInfo made, protection_.protect(protection, call, progress));
  return describe(made);
}

Result<Json> LocalPageService::protect_restored(const RestoredPrimary& restored,
                                                const CallOptions& call) {
  VARVE_ASSIGN(const TimelineInfo found, server_->timeline(restored.timeline));
  VARVE_ASSIGN(const TimelineInfo followed,
               protection_.protect_restored(found.id, restored.primary, call));
  return describe(followed);
}

Result<Json> LocalPageService::unprotect(const std::string& timeline, bool keep_slot,
                                         const CallOptions& call) {
  VARVE_ASSIGN(const TimelineInfo found, server_->timeline(timeline));
  VARVE_TRY(protection_.unprotect(found.id, keep_slot, call));
  return this->timeline(found.id.to_string());
}

Result<Json> LocalPageService::wait(const WaitRequest& request, const CallOptions& call,
                                    const ByteProgress& progress) {
  const std::string what = fmt::format("wait of timeline {} for {}", request.timeline, request.lsn);
  TimelineStates& states = server_->tenants().states();
  SyncForOneWait own_sync(*server_);
  uint64_t seen = 0;
  for (bool scheduled = false;;) {
    VARVE_ASSIGN(const TimelineInfo info, server_->timeline(request.timeline));
    if (reached(info, request)) return to_json(info);
    VARVE_ASSIGN(const auto task, server_->tenants().pending_task(info.id));
    const auto open = server_->timelines().find(info.id);
    const bool is_fed = open != nullptr && open->is_fed();
    if (!task && !is_fed) {
      // What was left to do may have been done since.
      VARVE_ASSIGN(const TimelineInfo now, server_->timeline(request.timeline));
      if (reached(now, request)) return to_json(now);
      return make_error(
          ErrorCode::kConflict,
          "timeline {} is at {} ({} remote), nothing feeds it, and it will not reach {}",
          request.timeline, now.metadata.disk_consistent_lsn, now.remote_consistent_lsn,
          request.lsn);
    }
    // What is only to be here does not hang on the remote storage.
    const bool needs_sync = !is_fed || request.goal == WaitGoal::kRemote;
    const auto failure = needs_sync ? states.last_failure(info.id) : std::nullopt;
    const bool comes_again = failure && !retryable(failure->code());
    if (failure && (comes_again || info.state == TimelineSyncState::kEvicted)) {
      return failure->context(what);
    }
    if (task && !scheduled) {
      scheduled = true;
      if (SyncLoop* const loop = server_->sync_loop()) {
        loop->schedule(*task);
      } else {
        own_sync.start(*task, progress);
      }
    }
    // What a feed brings is not reported.
    CallOptions turn = call;
    if (is_fed) turn.deadline = Deadline::earlier(call.deadline, Deadline::after(kLookEvery));
    const auto report = states.wait_for_report(seen, system_clock(), turn);
    if (report.ok()) {
      seen = *report;
    } else if (!is_fed || !call.check(what).ok()) {
      return report.error().context(what);
    }
  }
}

std::string LocalPageService::metrics_text() {
  return server_->metrics_text();
}

Metrics& LocalPageService::metrics() {
  return server_->metrics();
}

Result<> LocalPageService::keep_request_counts() {
  return server_->keep_request_counts();
}

}  // namespace varve
