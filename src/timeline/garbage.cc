#include "timeline/garbage.h"

#include <algorithm>

namespace varve {
namespace {

// Whether every read of the layer begins above it, with an image that has all it could give. What
// holds for the first retained LSN that sees the layer holds for all later ones.
bool is_garbage(const LayerSnapshot& layers, const LayerName& name, const RetainedLsns& retained) {
  const Lsn first = retained.first_from(name.lsn_start);
  // A delta layer ends with what lies at lsn_end - 1; an image layer is replaced by a newer one.
  const Lsn needed = name.is_image ? name.lsn_end : Lsn{name.lsn_end.value - 1};
  if (first < needed) return false;
  return std::ranges::all_of(
      layers.map.newest_images(name.keys, first), [&](const LayerMap::Part& part) {
        return part.image && needed <= layers.map.layer(*part.image).lsn_start;
      });
}

}  // namespace

Lsn RetainedLsns::first_from(Lsn lsn) const {
  if (cutoff <= lsn) return lsn;
  const auto pin = pins.lower_bound(lsn);
  return pin == pins.end() ? cutoff : std::min(*pin, cutoff);
}

std::vector<LayerEntry> find_garbage(const LayerSnapshot& layers, const RetainedLsns& retained) {
  std::vector<LayerEntry> garbage;
  std::ranges::copy_if(
      layers.manifest->layers, std::back_inserter(garbage),
      [&](const LayerName& name) { return is_garbage(layers, name, retained); }, &LayerEntry::name);
  return garbage;
}

}  // namespace varve
