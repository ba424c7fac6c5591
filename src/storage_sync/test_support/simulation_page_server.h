// What the page server does with a work directory beside the sync engine: checkpoints, compaction,
// eviction of layer files, and timelines that come and go.
#pragma once

#include <fstream>

#include "fs/directory.h"
#include "storage_sync/tenant_log.h"
#include "storage_sync/test_support/simulation_server.h"
#include "storage_sync/upload.h"

namespace varve::simulation {

class PageServer {
 public:
  // `may_crash` is called between the steps of what has several; the server may be gone afterwards.
  PageServer(World& world, std::function<void(Server&)> may_crash)
      : world_(world), may_crash_(std::move(may_crash)) {}

  // --- changes of a timeline, which the server may change ---

  void checkpoint(Server& server, const TenantTimelineId& id) {
    const auto kept = server.store().timeline(id);
    TimelineManifest next = kept->get()->manifest;
    next.metadata.previous_record_lsn = next.metadata.disk_consistent_lsn;
    next.metadata.disk_consistent_lsn.value += 16 * (1 + world_.choices.below(8));
    // Sometimes only the stream went on, with nothing to store.
    Items items;
    if (!world_.choices.chance(0.1)) {
      items.insert({next.metadata.disk_consistent_lsn, ++world_.names});
    }
    std::vector<LayerEntry> added;
    for (uint64_t left = items.empty() ? 0 : world_.choices.between(1, 3); left > 0; --left) {
      added.push_back(draw_layer(items));
    }
    world_.story.tell("S{}: checkpoint of {} at LSN {}, {} layers", server.number(), short_name(id),
                      next.metadata.disk_consistent_lsn, added.size());
    if (world_.strikes(Mutation::kLsnGoesBack)) {
      next.metadata.disk_consistent_lsn.value -= 64;
    }
    if (world_.strikes(Mutation::kMetadataIsWrittenFirst, 1)) {
      publish(server, *kept, with_layers(next, added));
      may_crash_(server);
      write_layers(server, id, added);
      return;
    }
    if (!write_layers(server, id, added)) return;
    if (world_.strikes(Mutation::kCheckpointInTwoSteps)) {
      const auto half = kept->change([&](LocalManifest& local) -> Result<> {
        local.manifest.metadata = next.metadata;
        return {};
      });
      if (half.ok()) return server.schedule_upload(id);
    }
    publish(server, *kept, with_layers(next, added));
  }

  // Layers are replaced by one with the same data; the LSN stands still.
  void compact(Server& server, const TenantTimelineId& id) {
    const auto kept = server.store().timeline(id);
    TimelineManifest next = kept->get()->manifest;
    if (next.layers.size() < 2) return;
    Items items;
    std::vector<LayerName> replaced;
    for (uint64_t left = world_.choices.between(2, next.layers.size()); left > 0; --left) {
      const auto at = static_cast<ptrdiff_t>(world_.choices.below(next.layers.size()));
      const LayerName layer = next.layers[static_cast<size_t>(at)].name;
      const Items& moved = world_.model.layers.at(layer).items;
      items.insert(moved.begin(), moved.end());
      replaced.push_back(layer);
      next.layers.erase(next.layers.begin() + at);
    }
    world_.story.tell("S{}: compaction of {}: {} layers become one", server.number(),
                      short_name(id), replaced.size());
    if (world_.strikes(Mutation::kLayerIsForgotten)) items.erase(items.begin());
    const std::vector<LayerEntry> added{draw_layer(items)};
    if (!write_layers(server, id, added)) return;
    if (!publish(server, *kept, with_layers(next, added))) return;
    for (const LayerName& layer : replaced) {
      std::filesystem::remove(kept->directory() / layer.to_string());
      may_crash_(server);
    }
  }

  // Something of the metadata changes, and nothing else.
  void move_gc_cutoff(Server& server, const TenantTimelineId& id) {
    const auto kept = server.store().timeline(id);
    TimelineManifest next = kept->get()->manifest;
    if (next.metadata.gc_cutoff_lsn == next.metadata.disk_consistent_lsn) return;
    next.metadata.gc_cutoff_lsn = next.metadata.disk_consistent_lsn;
    world_.story.tell("S{}: GC cutoff of {}", server.number(), short_name(id));
    publish(server, *kept, next);
  }

  // Local copies of layers that are remote go.
  void evict_layers(Server& server, const TenantTimelineId& id) {
    const auto kept = server.store().timeline(id);
    size_t evicted = 0;
    for (const LayerEntry& layer : kept->get()->manifest.layers) {
      if (!layer.stored.is_remote() || world_.choices.chance(0.3)) continue;
      evicted += std::filesystem::remove(kept->directory() / layer.name.to_string()) ? 1 : 0;
    }
    if (evicted > 0) {
      world_.story.tell("S{}: {} layer files of {} are evicted", server.number(), evicted,
                        short_name(id));
    }
  }

  // --- timelines ---

  void create_timeline(Server& server, const TenantId& tenant) {
    const TenantTimelineId id{tenant, numbered<TimelineId>(++world_.names)};
    world_.story.tell("S{}: timeline {} is created", server.number(), short_name(id));
    LocalManifest local;
    local.manifest.id = id;
    local.manifest.metadata.postgres_version = 15;
    local.manifest.metadata.disk_consistent_lsn = Lsn{world_.choices.between(100, 200)};
    // Nobody else knows the ID.
    local.head_seen = world_.clock.boot_time();
    local.manifest.layers = {
        draw_layer({{local.manifest.metadata.disk_consistent_lsn, ++world_.names}})};
    const auto directory = server.store().timeline_directory(id);
    std::filesystem::create_directories(directory);
    if (!write_layers(server, id, local.manifest.layers)) return;
    const auto kept = server.store().add_timeline(local);
    publish(server, *kept, local.manifest);
  }

  // As its owner does it when nothing of the timeline is under way; repeated where an earlier
  // attempt did not get through. Returns whether it is gone.
  bool delete_timeline(Server& server, const TenantTimelineId& id) {
    world_.story.tell("S{}: deletion of {}", server.number(), short_name(id));
    const Server::Operation operation(server);
    server.driver().forget(id);
    const auto kept = server.store().timeline(id);
    LocalManifest last = *kept->get();
    last.manifest.deleted = true;
    last.manifest.layers.clear();
    world_.model.timelines[id].deletion_begun = true;
    world_.model.add_state(last.manifest);
    const auto tenant = server.store().tenant(id.tenant);
    if (last.head.sequence > 0) {
      const auto done = upload_timeline(server.context(),
                                        {.writer = tenant->get()->writer, .delete_timeline = true},
                                        *kept, {}, {});
      if (server.is_gone()) return false;
      if (!done.ok()) {
        world_.story.tell("S{}: deletion failed: {}", server.number(), name(done.code()));
        return false;
      }
      if (done->outcome == UploadOutcome::kFenced) {
        std::ignore = fence_tenant(server.context(), *tenant, done->other);
        return false;
      }
    }
    const auto listed = commit_tenant(server.context(), *tenant,
                                      [&](TenantManifest& manifest) -> Result<> {
                                        for (auto& registration : manifest.timelines) {
                                          if (registration.id == id.timeline)
                                            registration.deleted = true;
                                        }
                                        return {};
                                      },
                                      {});
    if (server.is_gone() || !listed.ok()) return false;
    server.store().forget_timeline(id);
    server.directory.timelines.erase(id);
    std::filesystem::remove_all(kept->directory());
    return true;
  }

  // Whether it was created; otherwise that is found out when the server starts again.
  bool create_tenant(Server& server) {
    const TenantId id = numbered<TenantId>(++world_.names);
    world_.story.tell("S{}: tenant {} is created", server.number(), short_name(id));
    LocalTenant created;
    created.manifest.id = id;
    Bytes writer = world_.choices.bytes(16);
    std::ranges::copy(writer, created.writer.bytes.begin());
    created.head_seen = world_.clock.boot_time();
    std::filesystem::create_directories(server.store().tenant_directory(id));
    server.directory.owned_since[id] = world_.story.events();
    const Server::Operation operation(server);
    server.creating = id;
    const auto kept = server.store().add_tenant(created);
    const auto done =
        commit_tenant(server.context(), *kept, [](TenantManifest&) -> Result<> { return {}; }, {});
    server.creating.reset();
    if (server.is_gone()) return false;
    if (!done.ok()) server.store().forget_tenant(id);
    return done.ok();
  }

 private:
  template <typename AnyId>
  static AnyId numbered(uint64_t number) {
    AnyId id;
    id.bytes.fill(0xEE);
    id.bytes.back() = static_cast<uint8_t>(number);
    return id;
  }

  LayerEntry draw_layer(const Items& items) {
    Key start;
    store_big(start, ++world_.names);
    const LayerName name = LayerName::image({start, start.next()}, Lsn{100});
    const size_t size = world_.choices.chance(0.1) ? world_.choices.between(2000, 12'000)
                                                   : world_.choices.between(1, 300);
    ModelLayer layer{.content = world_.choices.bytes(size), .items = items};
    LayerEntry entry{
        .name = name, .size = size, .checksum = checksum128(layer.content), .stored = {}};
    world_.model.layers.emplace(name, std::move(layer));
    return entry;
  }
  static void store_big(Key& key, uint64_t number) {
    for (size_t at = 0; at < 8; ++at) key.bytes[at] = static_cast<uint8_t>(number >> (56 - 8 * at));
  }

  static TimelineManifest with_layers(TimelineManifest manifest,
                                      const std::vector<LayerEntry>& added) {
    manifest.layers.insert(manifest.layers.end(), added.begin(), added.end());
    std::ranges::sort(manifest.layers, {}, &LayerEntry::name);
    return manifest;
  }

  // Each appears whole; a crash may leave the beginning of one under its temporary name.
  bool write_layers(Server& server, const TenantTimelineId& id,
                    const std::vector<LayerEntry>& layers) {
    for (const LayerEntry& layer : layers) {
      const auto path = server.store().timeline_directory(id) / layer.name.to_string();
      auto temporary = path;
      temporary += kTemporarySuffix;
      const Bytes& content = world_.model.layers.at(layer.name).content;
      write(temporary, ByteView(content).first(content.size() / 2));
      may_crash_(server);
      if (server.is_gone()) return false;
      write(temporary, content);
      std::filesystem::rename(temporary, path);
      may_crash_(server);
      if (server.is_gone()) return false;
    }
    return true;
  }
  static void write(const std::filesystem::path& path, ByteView content) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(content.data()),
               static_cast<std::streamsize>(content.size()));
  }

  // The checkpoint counts from here on, and its upload is asked for.
  bool publish(Server& server, KeptTimeline& kept, const TimelineManifest& next) {
    world_.model.add_state(next);
    const auto changed = kept.change([&](LocalManifest& local) -> Result<> {
      local.manifest = next;
      return {};
    });
    if (!changed.ok()) world_.story.violated("local: {}", changed.error().message());
    server.directory.timelines[next.id] = state_id(next);
    may_crash_(server);
    if (server.is_gone()) return false;
    if (world_.strikes(Mutation::kTaskBesidesTheQueue)) server.upload_at_once(next.id);
    server.schedule_upload(next.id);
    return true;
  }

  World& world_;
  const std::function<void(Server&)> may_crash_;
};

}  // namespace varve::simulation
