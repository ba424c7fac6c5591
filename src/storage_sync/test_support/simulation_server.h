// One server process from start to end: the sync engine over a work directory, taking its turns and
// running its tasks when the simulation says.
#pragma once

#include "storage_sync/sync_driver.h"
#include "storage_sync/sync_startup.h"
#include "storage_sync/test_support/simulation_storage.h"
#include "storage_sync/timeline_sync_runner.h"
#include "storage_sync/upload.h"

namespace varve::simulation {

// Collects tasks, which run when they are picked.
class TaskBench : public SyncExecutor {
 public:
  explicit TaskBench(World& world) : world_(world) {}
  void submit(SyncLane /*lane*/, std::function<void()> work) override {
    waiting_.push_back(std::move(work));
  }
  bool empty() const { return waiting_.empty(); }
  void run_one() {
    const auto at = static_cast<ptrdiff_t>(world_.choices.below(waiting_.size()));
    const auto work = std::move(waiting_[static_cast<size_t>(at)]);
    waiting_.erase(waiting_.begin() + at);
    work();
  }

 private:
  World& world_;
  std::vector<std::function<void()>> waiting_;
};

class Server : private SyncTaskRunner, private SyncObserver {
 public:
  Server(World& world, WorkDirectory work_directory)
      : directory(std::move(work_directory)),
        world_(world),
        random_(world.choices.next()),
        storage_(world, *this, number_, gone_, before_put_),
        context_{storage_,          world.clock,          random_,
                 world.pools.codec, world.pools.transfer, draw_options()},
        runner_(context_, store_),
        bench_(world),
        driver_(draw_driver_options(), {*this, bench_, *this, metrics_, world.clock, random_}) {
    note_time();
  }

  uint32_t number() const { return number_; }
  LocalStore& store() { return store_; }
  const LocalStore& store() const { return store_; }
  const SyncContext& context() const { return context_; }
  SyncDriver& driver() { return driver_; }
  TaskBench& bench() { return bench_; }
  bool is_gone() const { return gone_ || world_.story.ended(); }
  bool is_open() const { return open_ && !is_gone(); }
  // Nothing of it is under way.
  bool is_idle() const { return bench_.empty() && running_.empty() && !is_calling(); }
  bool is_calling() const {
    return std::ranges::any_of(world_.calls,
                               [&](const ActiveCall& call) { return call.server == number_; });
  }

  // Compares work directory and storage, and opens the driver. After an error it may be repeated.
  Result<SyncStartupData> start() {
    storage_.take_flipped();
    auto started = start_local_timeline_sync(store_, {.remote = &context_, .parallel_reads = 1});
    if (!started.ok() || is_gone()) return started;
    flipped_at_start_ = storage_.take_flipped();
    for (const auto& [tenant, known] : started->tenants) {
      for (const auto& [timeline, it] : known.timelines) {
        const TenantTimelineId id{tenant, timeline};
        if (it.remote_head > 0 && store_.timeline(id) == nullptr) cloud_only[id] = it.remote_head;
      }
    }
    for (const TimelineSyncStatus& status : started->states) note_state(status);
    driver_.open(started->states);
    for (const SyncTask& task : started->first_tasks) driver_.schedule(task);
    open_ = true;
    return started;
  }
  bool flipped_at_start() const { return flipped_at_start_; }

  // Not by way of the queue.
  void upload_at_once(const TenantTimelineId& id) {
    std::ignore = run(SyncTask::upload(id, checkpoint_of(*store_.timeline(id)->get())), {});
  }

  void schedule_upload(const TenantTimelineId& id) {
    if (world_.strikes(Mutation::kUploadIsNotAskedFor)) return;
    driver_.schedule(SyncTask::upload(id, checkpoint_of(*store_.timeline(id)->get())));
  }

  // From here on nothing that it does counts. What it leaves is to be copied first.
  void die() { gone_ = true; }

  // What of its work directory is as of now.
  void note_time() { directory.servers[number_] = world_.story.events(); }

  bool owns(const TenantId& tenant) const {
    const auto kept = store_.tenant(tenant);
    return creating != tenant && kept != nullptr && kept->get()->check_owned().ok();
  }
  // It has a state of the timeline that it may go on from.
  bool may_change(const TenantTimelineId& id) const {
    return owns(id.tenant) && store_.timeline(id) != nullptr && !awaiting.contains(id) &&
           !parted.contains(id) && deleting != id && !store_.timeline(id)->get()->manifest.deleted;
  }
  // Of the tenant's log; a second commit would wait for the first, and it is the same thread.
  bool commits_to(const TenantId& tenant) const {
    return std::ranges::any_of(world_.calls, [&](const ActiveCall& call) {
      return call.server == number_ && call.log == LogName{tenant, {}};
    });
  }

  // What was begun before a fence was seen may still send what it was about to send.
  class Operation {
   public:
    explicit Operation(Server& server) : server_(server) {
      server.operations_.push_back(server.world_.story.events());
    }
    ~Operation() { server_.operations_.pop_back(); }
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

   private:
    Server& server_;
  };

  WorkDirectory directory;
  // Timelines whose local state is to be replaced by a download.
  std::set<TenantTimelineId> awaiting;
  // Timelines that are only remote, with their newest commit.
  std::map<TenantTimelineId, uint64_t> cloud_only;
  std::set<TenantTimelineId> evicted;
  // Timelines that went on here and elsewhere.
  std::set<TenantTimelineId> parted;
  // The one that is being deleted: nobody writes to it any more.
  std::optional<TenantTimelineId> deleting;
  // The one that is being created: nobody uses it yet.
  std::optional<TenantId> creating;
  // It takes over a tenant, and neither owns it as a whole nor not.
  bool attaching = false;

 private:
  SyncOptions draw_options() {
    // Some commits go through packs of several parts.
    constexpr std::array<uint64_t, 3> kLimits{1000, 8000, 1 << 20};
    return {.inline_limit = world_.choices.pick(kLimits),
            .part_size = 1024,
            .parallel_parts = 2,
            .pack_limit = 4096,
            // One after the other, or two runs of a seed would differ.
            .parallel_layers = 1};
  }
  SyncDriver::Options draw_driver_options() {
    return {.queue = {.concurrent_uploads = 1 + world_.choices.below(4),
                      .concurrent_downloads = 1 + world_.choices.below(2),
                      .concurrent_downloads_on_demand = 1 + world_.choices.below(2),
                      .max_sync_errors = static_cast<int>(3 + world_.choices.below(8))}};
  }

  // --- what runs ---

  Result<Checkpoint> run(const SyncTask& task, const CallOptions& options) override {
    const auto gone = [] { return make_error(ErrorCode::kCancelled, "the server is gone"); };
    if (is_gone()) return gone();
    const std::string what =
        fmt::format("S{}: {} of {}", number_, name(task.operation()), short_name(task.timeline));
    if (!running_.insert(task.timeline).second) {
      world_.story.violated("overlap: {} while another task of it runs", what);
      return gone();
    }
    world_.story.tell("{} begins", what);
    const Operation operation(*this);
    auto result = perform(task, options);
    running_.erase(task.timeline);
    if (is_gone()) return gone();
    world_.story.tell("{}: {}", what,
                      result.ok() ? fmt::format("done, LSN {}", result->disk_consistent_lsn)
                                  : std::string(varve::name(result.code())));
    if (!result.ok()) return result;
    if (task.lane != SyncLane::kUpload) {
      world_.story.note("download");
    } else if (world_.story.note("upload"); store_.tenant(task.timeline.tenant)->get()->fence) {
      world_.story.violated("fence: {} is done although S{} is fenced", what, number_);
    } else if (result->disk_consistent_lsn < task.checkpoint.disk_consistent_lsn) {
      world_.story.violated("acknowledged: {} is done, and got as far as LSN {} of {}", what,
                            result->disk_consistent_lsn, task.checkpoint.disk_consistent_lsn);
    }
    return result;
  }

  Result<Checkpoint> perform(const SyncTask& task, const CallOptions& options) {
    const TenantTimelineId& id = task.timeline;
    const auto tenant = store_.tenant(id.tenant);
    const auto timeline = store_.timeline(id);
    if (task.lane == SyncLane::kUpload && tenant != nullptr && timeline != nullptr) {
      const bool listed =
          tenant->get()->head.sequence > 0 && tenant->get()->manifest.find(id.timeline) != nullptr;
      if (!listed && commits_to(id.tenant)) {
        return make_error(ErrorCode::kUnavailable, "another commit of the tenant is under way");
      }
      VARVE_TRY(misbehave_before(*tenant, *timeline));
      if (world_.strikes(Mutation::kDoneBeforeTheCommit)) return task.checkpoint;
    }
    const auto before = timeline == nullptr ? nullptr : timeline->get();
    auto result = runner_.run(task, options);
    if (before != nullptr && world_.strikes(Mutation::kOldStateIsWritten)) {
      VARVE_TRY(timeline->change([&](LocalManifest& local) -> Result<> {
        local = *before;
        return {};
      }));
    }
    if (result.ok() && task.lane != SyncLane::kUpload && world_.strikes(Mutation::kDownloadIsCut)) {
      truncate_layer(store_.timeline_directory(id));
    }
    return result;
  }

  Result<> misbehave_before(KeptTenant& tenant, KeptTimeline& timeline) {
    const auto local = timeline.get();
    if (tenant.get()->fence && world_.strikes(Mutation::kFenceIsIgnored, 1)) {
      VARVE_TRY(tenant.change([](LocalTenant& changed) -> Result<> {
        changed.fence.reset();
        return {};
      }));
    }
    if (local->head.sequence > 0 && world_.strikes(Mutation::kHeadIsMadeUp)) {
      VARVE_TRY(timeline.change([](LocalManifest& changed) -> Result<> {
        changed.head.checksum ^= 1;
        return {};
      }));
    }
    if (tenant.get()->check_owned().ok() && world_.strikes(Mutation::kNotRegistered)) {
      VARVE_TRY(upload_timeline(context_, {.writer = tenant.get()->writer}, timeline, {}, {}));
    }
    const bool is_whole = local->manifest.layers.empty() || local->in_sync();
    if (!is_whole && world_.strikes(Mutation::kMixtureIsCommitted)) {
      LocalManifest mixture = *local;
      mixture.manifest.layers.pop_back();
      KeptTimeline other(timeline.directory(), mixture);
      VARVE_TRY(upload_timeline(context_, {.writer = tenant.get()->writer}, other, {}, {}));
    }
    if (world_.strikes(Mutation::kJournalIsLost, 1)) {
      std::filesystem::remove(timeline.directory() / kNonceJournalFileName);
    }
    return {};
  }

  // --- what it is told ---

  void set_timeline_states(const std::vector<TimelineSyncStatus>& changed) override {
    if (is_gone()) return;
    for (const TimelineSyncStatus& status : changed) note_state(status);
  }

  void note_state(const TimelineSyncStatus& status) {
    const TenantTimelineId& id = status.timeline;
    switch (status.state) {
      case TimelineSyncState::kReady:
        awaiting.erase(id);
        break;
      case TimelineSyncState::kAwaitsDownload:
        world_.story.note("awaits download");
        awaiting.insert(id);
        break;
      case TimelineSyncState::kCloudOnly:
        break;
      case TimelineSyncState::kEvicted:
        world_.story.note(open_ ? "evicted" : "parted");
        (open_ ? evicted : parted).insert(id);
        break;
    }
    const auto kept = store_.timeline(id);
    if (!status.remote_consistent_lsn || attaching) return;
    // Where the local state is to be replaced, what it holds besides is not meant.
    const Items items = kept == nullptr || awaiting.contains(id) || parted.contains(id)
                            ? Items{}
                            : world_.model.items(kept->get()->manifest);
    world_.ledger.acknowledged(id, *status.remote_consistent_lsn, items);
  }

  void task_failed(const SyncTask& /*task*/, const Error& /*error*/,
                   const FinishOutcome& /*outcome*/) override {}

  World& world_;
  const uint32_t number_ = ++world_.servers;
  std::atomic<bool> gone_{false};
  bool open_ = false;
  bool flipped_at_start_ = false;
  // When what is under way was begun, the innermost last.
  std::vector<uint64_t> operations_;
  const std::function<void(const std::string&)> before_put_ = [this](const std::string& key) {
    const auto fence = directory.fenced.find(ObjectName::parse(key).value().log.tenant);
    if (attaching || fence == directory.fenced.end() || operations_.back() < fence->second) return;
    world_.story.violated("fence: S{} is fenced and puts {}", number_, short_name(key));
  };
  LocalStore store_{directory.path};
  SeededRandom random_;
  SimulatedStorage storage_;
  SyncContext context_;
  Metrics metrics_;
  TimelineSyncRunner runner_;
  TaskBench bench_;
  SyncDriver driver_;
  std::set<TenantTimelineId> running_;
};

}  // namespace varve::simulation
