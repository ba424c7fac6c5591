#include "timeline/layer_selection.h"

#include <algorithm>
#include <map>

namespace varve {

std::vector<SelectedLayer> select_images(std::span<const LayerEntry> layers, const KeyRange& range,
                                         Lsn lsn) {
  if (range.empty()) return {};
  // Every key at which the answer may change; between two of them one layer answers for all.
  std::vector<const LayerEntry*> images;
  std::vector<Key> borders{range.start, range.end};
  for (const LayerEntry& layer : layers) {
    if (!layer.name.is_image || layer.name.lsn_start > lsn || !layer.name.keys.overlaps(range)) {
      continue;
    }
    images.push_back(&layer);
    borders.push_back(std::max(layer.name.keys.start, range.start));
    borders.push_back(std::min(layer.name.keys.end, range.end));
  }
  std::ranges::sort(borders);
  borders.erase(std::ranges::unique(borders).begin(), borders.end());

  std::map<Key, const LayerEntry*> newest;  // By the border at which it begins to answer.
  std::ranges::sort(images, {}, [](const LayerEntry* layer) { return layer->name.lsn_start; });
  for (const LayerEntry* image : images) {
    const auto first = std::ranges::lower_bound(borders, image->name.keys.start);
    for (auto border = first; border != borders.end() && *border < image->name.keys.end; ++border) {
      newest[*border] = image;
    }
  }

  std::vector<SelectedLayer> selected;
  for (size_t i = 0; i + 1 < borders.size(); ++i) {
    const auto found = newest.find(borders[i]);
    const LayerEntry* layer = found == newest.end() ? nullptr : found->second;
    if (!selected.empty() && selected.back().layer == layer) {
      selected.back().range.end = borders[i + 1];
    } else {
      selected.push_back({{borders[i], borders[i + 1]}, layer});
    }
  }
  return selected;
}

}  // namespace varve
