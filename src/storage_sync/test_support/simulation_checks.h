// What has to hold of a server, whatever happens.
#pragma once

#include <fstream>

#include "storage_sync/test_support/simulation_server.h"

namespace varve::simulation {

class Checks {
 public:
  explicit Checks(World& world) : world_(world) {}

  // At any time, also while requests of the server are under way.
  void observe(Server& server) {
    if (server.is_gone() || server.attaching) return;
    for (const TenantTimelineId& id : known_timelines()) {
      if (auto kept = server.store().timeline(id)) observe_timeline(server, id, *kept->get());
    }
    for (const TenantId& tenant : known_tenants()) observe_fence(server, tenant);
  }

  // Once it has compared its work directory with the storage.
  void check_start(Server& server, const SyncStartupData& started) {
    for (const auto& [tenant, known] : started.tenants) {
      if (known.damage && !server.flipped_at_start()) {
        world_.story.violated("restart: S{} does not read {}: {}", server.number(),
                              short_name(tenant), known.damage->message());
      }
      for (const auto& [timeline, it] : known.timelines) {
        const TenantTimelineId id{tenant, timeline};
        // A directory without a metadata file is a creation that a crash cut short.
        const bool expected = server.directory.timelines.contains(id);
        if (it.damage && expected && !server.flipped_at_start()) {
          world_.story.violated("restart: S{} does not read {}: {}", server.number(),
                                short_name(id), it.damage->message());
        }
      }
    }
    for (const auto& [id, state] : server.directory.timelines) {
      const auto kept = server.store().timeline(id);
      if (kept == nullptr && !server.flipped_at_start()) {
        world_.story.violated("restart: S{} lost {}", server.number(), short_name(id));
      }
      if (kept != nullptr) check_layer_files(server, id, Layers::kLocalOrRemote);
    }
  }

  enum class Layers { kLocalOrRemote, kLocal };
  // Each layer file that counts is whole.
  void check_layer_files(Server& server, const TenantTimelineId& id, Layers layers) {
    const auto kept = server.store().timeline(id);
    for (const LayerEntry& layer : kept->get()->manifest.layers) {
      const auto path = kept->directory() / layer.name.to_string();
      if (!std::filesystem::exists(path)) {
        if (layers == Layers::kLocalOrRemote && layer.stored.is_remote()) continue;
        world_.story.violated("layer files: S{} lacks one of {}", server.number(), short_name(id));
        continue;
      }
      std::ifstream file(path, std::ios::binary);
      const Bytes content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      if (content != world_.model.layers.at(layer.name).content) {
        world_.story.violated("layer files: one of {} at S{} is not whole", short_name(id),
                              server.number());
      }
    }
  }

  // Nothing was left to be done, and nothing fails any more.
  void check_in_sync(Server& server) {
    for (const TenantTimelineId& id : known_timelines()) {
      const auto kept = server.store().timeline(id);
      if (kept == nullptr || !server.owns(id.tenant) || server.evicted.contains(id) ||
          server.parted.contains(id)) {
        continue;
      }
      const auto local = kept->get();
      // A deletion that failed is repeated by whoever asked for it.
      if (world_.model.timelines[id].deletion_begun) continue;
      if (!local->in_sync() || server.awaiting.contains(id)) {
        world_.story.violated("liveness: {} at S{} is not in sync", short_name(id),
                              server.number());
      }
    }
  }

  std::vector<TenantTimelineId> known_timelines() const {
    std::vector<TenantTimelineId> ids;
    for (const auto& [id, timeline] : world_.model.timelines) ids.push_back(id);
    return ids;
  }
  std::set<TenantId> known_tenants() const {
    std::set<TenantId> ids;
    for (const auto& [log, commits] : world_.ledger.logs()) ids.insert(log.tenant);
    return ids;
  }

 private:
  void observe_timeline(Server& server, const TenantTimelineId& id, const LocalManifest& local) {
    const LandedCommit* head = world_.ledger.find({id.tenant, id.timeline}, local.head.sequence);
    if (local.head.sequence > 0 && (head == nullptr || head->checksum != local.head.checksum)) {
      world_.story.violated("acknowledged: S{} takes {} to be at number {}, which is not there",
                            server.number(), short_name(id), local.head.sequence);
      return;
    }
    const StateId state = state_id(local.manifest);
    const auto known = server.directory.timelines.find(id);
    if (known == server.directory.timelines.end() || known->second != state) {
      // Only a download replaces what is local, and then by what a commit holds.
      const bool downloaded = head != nullptr && head->state == state &&
                              (server.awaiting.contains(id) || server.cloud_only.contains(id));
      const bool deleted = local.manifest.deleted && world_.model.timelines[id].deletion_begun;
      if (!downloaded && !deleted) {
        world_.story.violated("local: {} at S{} is not as the last checkpoint left it",
                              short_name(id), server.number());
      }
      server.directory.timelines[id] = state;
      server.cloud_only.erase(id);
    }
    if (local.head.sequence == 0 || local.manifest.deleted) return;
    const bool replaced = server.awaiting.contains(id) || server.parted.contains(id);
    world_.ledger.acknowledged(id, local.remote_consistent_lsn,
                               replaced ? Items{} : world_.model.items(local.manifest));
  }

  // A fence stays, and it is there for a reason.
  void observe_fence(Server& server, const TenantId& tenant) {
    const auto kept = server.store().tenant(tenant);
    if (kept == nullptr) return;
    auto& fenced = server.directory.fenced;
    if (!kept->get()->fence) {
      if (fenced.contains(tenant)) {
        world_.story.violated("fence: that of S{} at {} is gone", server.number(),
                              short_name(tenant));
      }
      return;
    }
    if (fenced.contains(tenant)) return;
    world_.story.tell("S{}: is fenced at {}", server.number(), short_name(tenant));
    fenced.emplace(tenant, world_.story.events());
    world_.story.note("fenced");
    const auto since = server.directory.owned_since.find(tenant);
    if (since == server.directory.owned_since.end()) return;
    for (const auto& [log, commits] : world_.ledger.logs()) {
      if (log.tenant != tenant) continue;
      for (const auto& [sequence, commit] : commits) {
        if (commit.event >= since->second && !server.directory.knows(commit.sender)) return;
      }
    }
    world_.story.violated("fence: S{} at {}, and nobody else has written", server.number(),
                          short_name(tenant));
  }

  World& world_;
};

}  // namespace varve::simulation
