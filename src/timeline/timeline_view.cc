#include "timeline/timeline_view.h"

namespace varve {
namespace {

std::vector<LayerName> names_of(const std::vector<LayerEntry>& layers) {
  std::vector<LayerName> names;
  names.reserve(layers.size());
  for (const LayerEntry& layer : layers) names.push_back(layer.name);
  return names;
}

}  // namespace

LayerSnapshot::LayerSnapshot(std::shared_ptr<const TimelineManifest> state)
    : manifest(std::move(state)), map(names_of(manifest->layers)) {}

}  // namespace varve
