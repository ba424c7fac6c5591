#include "storage_sync/repack.h"

#include <algorithm>

#include "storage_sync/object_reader.h"

namespace varve {
namespace {

// Read by one call: each costs a request.
constexpr size_t kObjectsAtATime = 64;

// The stored bytes of each member, by the offset of its frame table: a member's frames follow the
// frame table of the one before it (docs/formats/archive.md).
struct ObjectContent {
  std::map<uint64_t, uint64_t> members;
  uint64_t bytes = 0;
};

ObjectContent content_of(const std::vector<LayerEntry>& layers, const std::string& object) {
  ObjectContent content;
  std::map<uint64_t, uint64_t> table_ends;
  for (const LayerEntry& layer : layers) {
    if (layer.stored.object != object) continue;
    table_ends[layer.stored.table_offset] = layer.stored.table_offset + layer.stored.table_size;
  }
  uint64_t begin = kObjectHeaderSize;
  for (const auto& [table, end] : table_ends) {
    content.members[table] = end - begin;
    content.bytes += end - begin;
    begin = end;
  }
  return content;
}

Result<ObjectContent> read_content(RemoteStorage& storage, const LogName& log,
                                   const std::string& object, const CallOptions& options) {
  VARVE_ASSIGN(const ObjectName name, ObjectName::parse_file_name(log, object));
  if (name.kind == ObjectKind::kPack) {
    VARVE_ASSIGN(const ReadPack pack, read_pack(storage, name, options));
    return content_of(pack.manifest.members, object);
  }
  VARVE_ASSIGN(const auto archive, read_timeline_archive(storage, name, options));
  return content_of(archive.layers(), object);
}

}  // namespace

Result<RepackPlan> find_repackable(const SyncContext& context, const LocalManifest& state,
                                   ExaminedObjects& examined, const CallOptions& options) {
  std::map<std::string, std::vector<const LayerEntry*>> live;
  for (const LayerEntry& layer : state.manifest.layers) {
    if (layer.stored.is_remote()) live[layer.stored.object].push_back(&layer);
  }
  std::erase_if(examined, [&](const auto& known) { return !live.contains(known.first); });

  const LogName log{state.manifest.id.tenant, state.manifest.id.timeline};
  RepackPlan plan;
  size_t read = 0;
  for (const auto& [object, layers] : live) {
    if (const auto known = examined.find(object);
        known != examined.end() && known->second == layers.size()) {
      continue;
    }
    if (++read > kObjectsAtATime) break;
    VARVE_ASSIGN(const ObjectContent content, read_content(context.storage, log, object, options));
    uint64_t bytes = 0;
    for (const LayerEntry* layer : layers) {
      const auto member = content.members.find(layer->stored.table_offset);
      if (member == content.members.end()) {
        return make_error(ErrorCode::kCorrupted,
                          "{}{} does not name layer {}, which it is said to hold", log.prefix(),
                          object, layer->name.to_string());
      }
      bytes += member->second;
    }
    const uint64_t garbage = content.bytes - bytes;
    const bool is_worth_it = garbage >= context.options.repack_minimum &&
                             static_cast<double>(bytes) <
                                 context.options.repack_below * static_cast<double>(content.bytes);
    if (!is_worth_it) {
      examined[object] = layers.size();
      continue;
    }
    for (const LayerEntry* layer : layers) {
      const uint64_t stored = content.members.at(layer->stored.table_offset);
      if (!plan.moves.empty() && plan.bytes + stored > context.options.repack_limit) return plan;
      plan.moves.emplace(layer->name, object);
      plan.bytes += stored;
    }
  }
  return plan;
}

}  // namespace varve
