// A whole life of several servers over one storage, from one seed: checkpoints, uploads, faults,
// crashes, takeovers, each in the middle of the other; then everything heals, and has to come to
// rest in a good state.
//
// All of it runs in one thread. What happens while a request is under way is called from inside of
// that request; so a story nests, and what has begun last ends first.
#pragma once

#include <memory>

#include "storage_sync/test_support/simulation_attach.h"
#include "storage_sync/test_support/simulation_checks.h"
#include "storage_sync/test_support/simulation_page_server.h"
#include "storage_sync/verify.h"

namespace varve::simulation {

class Simulation {
 public:
  Simulation(uint64_t seed, Mutation mutation, bool aloud, Pools& pools)
      : world_(seed, mutation, aloud, pools) {
    world_.meanwhile = [this](Server& during) { meanwhile(during); };
  }

  const Story& run() {
    begin();
    for (uint64_t left = world_.choices.between(60, 300); left > 0 && going(); --left) step();
    end();
    return world_.story;
  }

 private:
  // Servers that run at a time, copies and rivals included.
  static constexpr size_t kServers = 3;
  static constexpr size_t kTimelines = 8;
  static constexpr int kDepth = 3;

  bool going() const { return !world_.story.ended(); }
  bool chance(double probability) { return world_.choices.chance(probability); }

  // --- the course of a life ---

  void begin() {
    start(world_.directories.create());
    Server& first = *servers_.front();
    for (uint64_t left = world_.choices.between(1, 2); left > 0; --left) {
      page_server_.create_tenant(first);
    }
    for (uint64_t left = world_.choices.between(1, 3); left > 0; --left) {
      page_server_.create_timeline(first, pick_tenant());
    }
    world_.mutates = true;
    constexpr std::array kFaults{0.0, 0.05, 0.15, 0.3};
    world_.weather.faults = world_.choices.pick(kFaults);
    world_.weather.meanwhile = world_.choices.chance(0.2) ? 0 : 0.15;
  }

  // Of what may happen, one thing.
  void step() {
    bury();
    if (servers_.empty()) return revive();
    Server& server = pick_server();
    const uint64_t kind = world_.choices.below(100);
    if (kind < 60) {
      happen(server);
    } else if (kind < 66) {
      advance(chance(0.8) ? 5 : 3000);
    } else if (kind < 70) {
      crash(server);
    } else if (kind < 72) {
      shut_down(server);
    } else if (kind < 78) {
      revive();
    } else if (kind < 82) {
      backup(server);
    } else if (kind < 85) {
      if (servers_.size() < kServers) start(world_.directories.create());
    } else if (kind < 88) {
      attach(server);
    } else if (kind < 91) {
      delete_timeline(server);
    } else if (kind < 92) {
      if (server.is_open() && world_.ledger.logs().size() < kTimelines) {
        if (!page_server_.create_tenant(server) && !server.is_gone()) crash(server);
      }
    } else if (kind < 94) {
      lose_touch(server);
    } else {
      deliver();
    }
    observe();
  }

  // What may as well happen while something else is under way.
  void happen(Server& server) {
    if (!server.is_open() || server.attaching) return;
    const uint64_t kind = world_.choices.below(20);
    if (kind < 6) {
      if (!server.bench().empty()) server.bench().run_one();
    } else if (kind < 11) {
      server.driver().turn();
    } else {
      change(server);
    }
  }

  void change(Server& server) {
    std::vector<TenantTimelineId> ids;
    for (const TenantTimelineId& id : checks_.known_timelines()) {
      if (server.may_change(id)) ids.push_back(id);
    }
    const uint64_t kind = world_.choices.below(20);
    if (kind == 0 && world_.model.timelines.size() < kTimelines) {
      std::vector<TenantId> owned;
      for (const TenantId& tenant : checks_.known_tenants()) {
        if (server.owns(tenant)) owned.push_back(tenant);
      }
      if (!owned.empty()) page_server_.create_timeline(server, world_.choices.pick(owned));
    } else if (kind == 1) {
      download(server);
    } else if (ids.empty()) {
      return;
    } else if (kind < 12) {
      page_server_.checkpoint(server, world_.choices.pick(ids));
    } else if (kind < 15) {
      page_server_.compact(server, world_.choices.pick(ids));
    } else if (kind < 17) {
      page_server_.evict_layers(server, world_.choices.pick(ids));
    } else if (kind == 17) {
      page_server_.move_gc_cutoff(server, world_.choices.pick(ids));
    } else if (kind == 18) {
      server.driver().tenant_attached(world_.choices.pick(ids).tenant);
      server.evicted.clear();
    } else {
      server.schedule_upload(world_.choices.pick(ids));
    }
  }

  // A request of `during` is under way.
  void meanwhile(Server& during) {
    if (world_.story.depth() >= kDepth || !going()) return;
    world_.story.enter();
    const uint64_t kind = world_.choices.below(20);
    if (kind == 0) {
      crash(during);
    } else if (kind == 1) {
      advance(chance(0.8) ? 5 : 3000);
    } else if (kind == 2) {
      deliver();
    } else if (kind == 3) {
      backup(during);
    } else if (kind == 4) {
      attach(*world_.choices.pick(servers_));
    } else {
      happen(pick_server());
    }
    observe();
    world_.story.leave();
  }

  // --- what happens to servers ---

  void start(WorkDirectory directory) {
    servers_.push_back(std::make_unique<Server>(world_, std::move(directory)));
    Server& server = *servers_.back();
    world_.story.tell("S{}: starts", server.number());
    for (int attempt = 0; attempt < 3 && !server.is_gone(); ++attempt) {
      const auto started = server.start();
      if (server.is_gone()) return;
      if (!started.ok()) {
        world_.story.tell("S{}: cannot start: {}", server.number(), name(started.code()));
        advance(60);
        continue;
      }
      observe();
      checks_.check_start(server, *started);
      free_deleted(server, *started);
      server.driver().turn();
      return;
    }
    if (!server.is_gone()) crash(server);
  }

  // The tenant's log says that they are gone, and the server died before it removed the files.
  void free_deleted(Server& server, const SyncStartupData& started) {
    for (const auto& [tenant, known] : started.tenants) {
      for (const auto& [timeline, it] : known.timelines) {
        if (!it.registration || !it.registration->deleted) continue;
        const TenantTimelineId id{tenant, timeline};
        server.store().forget_timeline(id);
        server.directory.timelines.erase(id);
        server.cloud_only.erase(id);
        std::filesystem::remove_all(server.store().timeline_directory(id));
      }
    }
  }

  void run_tasks(Server& server) {
    while (!server.bench().empty() && !server.is_gone()) {
      server.bench().run_one();
      observe();
    }
  }

  void crash(Server& server) {
    if (server.is_gone()) return;
    checks_.observe(server);
    world_.story.tell("S{}: CRASHES", server.number());
    world_.story.note("crash");
    server.note_time();
    // Half an attach is of no use, and a disk may be lost with the machine.
    if (!server.attaching && !chance(0.1)) {
      stopped_.push_back(world_.directories.copy(server.directory));
      damage(stopped_.back());
    }
    server.die();
  }

  void damage(const WorkDirectory& directory) {
    if (world_.strikes(Mutation::kLayerIsTruncated)) truncate_layer(directory.path);
    if (!directory.timelines.empty() && world_.strikes(Mutation::kTimelineIsLost)) {
      std::filesystem::remove_all(
          LocalStore(directory.path).timeline_directory(directory.timelines.begin()->first));
    }
  }

  void shut_down(Server& server) {
    if (!server.is_open() || server.attaching || server.is_calling()) return;
    world_.story.tell("S{}: shuts down", server.number());
    server.driver().close();
    if (chance(0.3)) {
      // What waits is told to stop before it has begun.
      server.driver().turn();
      advance(100);
      server.driver().turn();
    }
    int turns = 0;
    for (; turns < 100 && !server.driver().turn().last && !server.is_gone(); ++turns) {
      run_tasks(server);
    }
    if (turns == 100) world_.story.violated("liveness: S{} does not shut down", server.number());
    if (server.is_gone()) return;
    checks_.observe(server);
    server.note_time();
    stopped_.push_back(server.directory);
    server.die();
  }

  // Those that are gone, once nothing of them is left on the stack.
  void bury() {
    std::erase_if(servers_, [](const auto& server) { return server->is_gone(); });
  }

  // From a directory that a server left, or from a backup, even if the original is in use.
  void revive() {
    if (servers_.size() >= kServers) return;
    auto& from = stopped_.empty() || (!backups_.empty() && chance(0.15)) ? backups_ : stopped_;
    if (from.empty()) return start(world_.directories.create());
    const auto at = static_cast<ptrdiff_t>(world_.choices.below(from.size()));
    WorkDirectory directory = std::move(from[static_cast<size_t>(at)]);
    from.erase(from.begin() + at);
    if (&from == &backups_) world_.story.note("backup comes back");
    start(std::move(directory));
  }

  void backup(Server& server) {
    if (backups_.size() >= 2 || !server.is_open() || server.attaching) return;
    checks_.observe(server);
    world_.story.tell("S{}: its work directory is copied", server.number());
    server.note_time();
    backups_.push_back(world_.directories.copy(server.directory));
  }

  void attach(Server& server) {
    if (!server.is_open() || server.attaching || !server.is_idle()) return;
    std::vector<TenantId> others;
    for (const TenantId& tenant : checks_.known_tenants()) {
      if (!server.owns(tenant) && server.store().tenant(tenant) != nullptr)
        others.push_back(tenant);
    }
    if (others.empty()) return;
    // Settles what has finished, and may begin something else.
    server.driver().turn();
    if (!server.bench().empty()) return;
    const TenantId tenant = world_.choices.pick(others);
    world_.story.tell("S{}: attaches {}", server.number(), short_name(tenant));
    const auto attached = Attach(world_, server, tenant).run();
    if (server.is_gone()) return;
    world_.story.tell("S{}: attach of {}: {}", server.number(), short_name(tenant),
                      attached.ok() ? "done" : name(attached.code()));
    if (!attached.ok()) return crash(server);
    world_.story.note("attached");
  }

  // --- the rest ---

  void delete_timeline(Server& server) {
    if (!server.is_open() || server.attaching || server.is_calling()) return;
    std::vector<TenantTimelineId> ids;
    for (const TenantTimelineId& id : checks_.known_timelines()) {
      const bool again = server.store().timeline(id) != nullptr && server.owns(id.tenant) &&
                         server.store().timeline(id)->get()->manifest.deleted;
      if (server.may_change(id) || again) ids.push_back(id);
    }
    if (ids.empty()) return;
    // forget() waits for what runs.
    for (int left = 20; left > 0 && !server.is_gone(); --left) {
      server.driver().turn();
      if (server.bench().empty()) break;
      run_tasks(server);
    }
    if (server.is_gone() || !server.bench().empty()) return;
    const TenantTimelineId id = world_.choices.pick(ids);
    if (server.store().timeline(id) == nullptr || !server.owns(id.tenant)) return;
    server.deleting = id;
    page_server_.delete_timeline(server, id);
    server.deleting.reset();
  }

  void download(Server& server) {
    std::vector<SyncTask> tasks;
    const SyncLane lane = chance(0.5) ? SyncLane::kDownload : SyncLane::kDownloadOnDemand;
    for (const auto& [id, sequence] : server.cloud_only) {
      tasks.push_back(SyncTask::download(id, sequence, lane));
    }
    for (const TenantTimelineId& id : checks_.known_timelines()) {
      const auto kept = server.store().timeline(id);
      if (kept == nullptr || kept->get()->manifest.deleted || server.deleting == id) continue;
      if (kept->get()->head.sequence == 0) continue;
      tasks.push_back(SyncTask::download(id, kept->get()->head.sequence, lane));
    }
    if (tasks.empty()) return;
    const SyncTask& task = world_.choices.pick(tasks);
    world_.story.tell("S{}: asks for {}", server.number(), short_name(task.timeline));
    server.driver().schedule(task);
  }

  void advance(uint64_t seconds) {
    const auto step = std::chrono::seconds(world_.choices.between(1, seconds));
    world_.story.tell("{} s pass", step.count());
    world_.clock.advance(step);
  }

  void lose_touch(const Server& server) {
    const auto seconds = std::chrono::seconds(world_.choices.between(1, 100));
    world_.weather.outage_ends = world_.clock.boot_time() + seconds;
    if (chance(0.5)) {
      world_.weather.cut_off = server.number();
      world_.story.tell("S{}: does not reach the storage for {} s", server.number(),
                        seconds.count());
    } else {
      world_.weather.cut_off.reset();
      world_.story.tell("nobody reaches the storage for {} s", seconds.count());
    }
  }

  // A put that went astray arrives.
  void deliver() {
    auto& puts = world_.stray_puts;
    if (puts.empty()) return;
    const auto at = static_cast<ptrdiff_t>(world_.choices.below(puts.size()));
    StrayPut put = std::move(puts[static_cast<size_t>(at)]);
    puts.erase(puts.begin() + at);
    const std::string what = short_name(put.key);
    const auto delivered = WatchedStorage::deliver(world_, std::move(put));
    world_.story.tell("put {} arrives late: {}", what,
                      delivered.ok() ? "stored" : name(delivered.code()));
    if (delivered.ok()) world_.story.note("stray put stored");
  }

  // Rather one that has something to do.
  Server& pick_server() {
    Server& server = *world_.choices.pick(servers_);
    const bool owns = std::ranges::any_of(
        checks_.known_tenants(), [&](const TenantId& tenant) { return server.owns(tenant); });
    return owns || chance(0.3) ? server : *world_.choices.pick(servers_);
  }

  TenantId pick_tenant() {
    auto tenants = checks_.known_tenants();
    return world_.choices.pick(tenants);
  }

  void observe() {
    for (const auto& server : servers_) checks_.observe(*server);
    world_.ledger.check_objects();
  }

  // --- the end ---

  void end() {
    world_.weather = {};
    while (!world_.stray_puts.empty() && going()) deliver();
    world_.story.tell("everything heals");
    bury();
    for (const auto& server : servers_) come_to_rest(*server);
    // Each directory once more, one at a time.
    for (const auto& server : servers_) {
      if (!server->is_gone()) stopped_.push_back(server->directory);
    }
    servers_.clear();
    for (WorkDirectory& directory : std::exchange(stopped_, {})) {
      if (!going()) return;
      start(std::move(directory));
      come_to_rest(*servers_.front());
      if (going()) checks_.check_in_sync(*servers_.front());
      servers_.clear();
    }
    restore();
    verify();
  }

  // Nothing more is asked for: what was has to be done within a bounded time.
  void come_to_rest(Server& server) {
    if (!server.is_open()) return;
    for (int turns = 0; going(); ++turns) {
      const auto turn = server.driver().turn();
      if (server.bench().empty() && turn.pause == Duration::max()) break;
      if (server.bench().empty()) world_.clock.advance(turn.pause);
      run_tasks(server);
      if (turns > 500) {
        return world_.story.violated("liveness: S{} does not come to rest", server.number());
      }
    }
    observe();
    if (going()) checks_.check_in_sync(server);
  }

  // From the storage alone.
  void restore() {
    if (!going()) return;
    start(world_.directories.create());
    Server& server = *servers_.front();
    const auto wanted = server.cloud_only;
    for (const auto& [id, sequence] : wanted) {
      server.driver().schedule(SyncTask::download(id, sequence));
    }
    come_to_rest(server);
    for (const auto& [id, sequence] : wanted) {
      if (!going()) return;
      const auto kept = server.store().timeline(id);
      const LandedCommit* head = world_.ledger.head({id.tenant, id.timeline});
      if (kept == nullptr || state_id(kept->get()->manifest) != head->state) {
        world_.story.violated("restore: {} is not as its newest commit", short_name(id));
        return;
      }
      checks_.check_layer_files(server, id, Checks::Layers::kLocal);
    }
  }

  void verify() {
    if (!going()) return;
    const auto report =
        verify_remote(world_.clean.storage, {.depth = VerifyDepth::kEveryByte}, {}, {});
    if (!report.ok()) return world_.story.violated("verify: {}", report.error().message());
    for (const Finding& finding : report->findings) {
      // Packs of attempts that did not get to their commit.
      if (finding.kind == FindingKind::kOrphan && finding.object.ends_with(".pack")) continue;
      world_.story.violated("verify: {}: {}", finding.object, finding.detail);
    }
  }

  World world_;
  Checks checks_{world_};
  PageServer page_server_{world_, [this](Server& server) {
                            if (chance(0.02)) crash(server);
                          }};
  std::vector<std::unique_ptr<Server>> servers_;
  // What servers left that are gone.
  std::vector<WorkDirectory> stopped_;
  std::vector<WorkDirectory> backups_;
};

}  // namespace varve::simulation
