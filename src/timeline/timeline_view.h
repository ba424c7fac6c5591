// What a timeline consists of at one moment, itself without its ancestors.
#pragma once

#include <memory>
#include <vector>

#include "layer/in_memory_layer.h"
#include "layer/layer_map.h"
#include "storage_sync/manifest.h"

namespace varve {

// The layer files of one state of the timeline.
struct LayerSnapshot {
  explicit LayerSnapshot(std::shared_ptr<const TimelineManifest> state);
  const LayerEntry& layer(LayerMap::Index index) const { return manifest->layers[index]; }

  std::shared_ptr<const TimelineManifest> manifest;
  // Of the manifest's layers, by their places in it.
  LayerMap map;
};

// Immutable, but for what the newest layer in memory still takes.
struct TimelineView {
  // The newest first. Each holds what is newer than the next one, and all of them what is newer
  // than the layer files.
  std::vector<std::shared_ptr<const InMemoryLayer>> memory = {};
  std::shared_ptr<const LayerSnapshot> layers;
};
using TimelineViewPointer = std::shared_ptr<const TimelineView>;

}  // namespace varve
