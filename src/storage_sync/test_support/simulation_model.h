// What should be: every state that a timeline had at a checkpoint, and what its layers hold.
//
// The data of a checkpoint is an item. A checkpoint writes its item into layers, a compaction moves
// items between layers, and none is ever dropped: so whether something was lost can be told from
// the items of a state alone.
#pragma once

#include <algorithm>
#include <map>
#include <set>

#include "storage_sync/manifest.h"

namespace varve::simulation {

struct Item {
  Lsn lsn;  // That of its checkpoint.
  uint64_t number = 0;
  auto operator<=>(const Item&) const = default;
};
using Items = std::set<Item>;

inline bool holds(const Items& all, const Items& some) {
  return std::ranges::includes(all, some);
}

// Identifies metadata and set of layers.
using StateId = uint64_t;
inline StateId state_id(const TimelineManifest& manifest) {
  ByteWriter out;
  out.put_raw(manifest.metadata.encode());
  out.put(static_cast<uint8_t>(manifest.deleted ? 1 : 0));
  for (const LayerEntry& layer : manifest.layers) {
    out.put_string(layer.name.to_string());
    out.put(layer.size);
    out.put_raw(layer.checksum.bytes);
  }
  return checksum64(out.view());
}

struct ModelLayer {
  Bytes content;
  Items items;
};

struct ModelTimeline {
  // Of every checkpoint, by any server, and of what follows from it without one: a deletion.
  std::set<StateId> states;
  bool deletion_begun = false;
};

class Model {
 public:
  std::map<TenantTimelineId, ModelTimeline> timelines;
  // No two layers have the same name, whoever wrote them.
  std::map<LayerName, ModelLayer> layers;

  void add_state(const TimelineManifest& manifest) {
    timelines[manifest.id].states.insert(state_id(manifest));
  }
  bool knows_state(const TimelineManifest& manifest) const {
    const auto found = timelines.find(manifest.id);
    return found != timelines.end() && found->second.states.contains(state_id(manifest));
  }
  Items items(const TimelineManifest& manifest) const {
    Items items;
    for (const LayerEntry& layer : manifest.layers) {
      const auto found = layers.find(layer.name);
      if (found != layers.end())
        items.insert(found->second.items.begin(), found->second.items.end());
    }
    return items;
  }
};

}  // namespace varve::simulation
