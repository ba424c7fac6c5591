#include "layer/layer_map.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace varve {
namespace {

// Which of two layers that cover a key is found first, looking down from above.
auto height(const LayerName& layer) {
  return std::tuple(layer.lsn_start, layer.lsn_end);
}

}  // namespace

LayerMap::LayerMap(std::vector<LayerName> layers)
    : layers_(std::move(layers)), images_(layers_, true), deltas_(layers_, false) {}

std::optional<LayerMap::Index> LayerMap::newest_image(const Key& key, Lsn lsn) const {
  return images_.find(layers_, key, lsn);
}

std::optional<LayerMap::Index> LayerMap::newest_delta(const Key& key, Lsn lsn) const {
  return deltas_.find(layers_, key, lsn);
}

std::vector<LayerMap::Part> LayerMap::newest_images(const KeyRange& range, Lsn lsn) const {
  return images_.find_all(layers_, range, lsn);
}

std::vector<LayerMap::Index> LayerMap::deltas(const KeyRange& range, Lsn start, Lsn last) const {
  return deltas_.overlapping(layers_, range, start, last);
}

LayerMap::Plane::Plane(std::span<const LayerName> layers, bool images) {
  std::vector<Index> members;
  for (Index i = 0; i < layers.size(); ++i) {
    if (layers[i].is_image != images || layers[i].keys.empty()) continue;
    members.push_back(i);
    borders_.push_back(layers[i].keys.start);
    borders_.push_back(layers[i].keys.end);
  }
  std::ranges::sort(borders_);
  borders_.erase(std::ranges::unique(borders_).begin(), borders_.end());
  std::ranges::sort(members, {}, [&](Index i) { return std::tuple(height(layers[i]), i); });

  // How many layers each node lists, then where its list begins, then the lists.
  first_.assign(2 * places() + 1, 0);
  for (const Index i : members) {
    for_each_node(layers[i], [&](size_t node) { ++first_[node + 1]; });
  }
  std::partial_sum(first_.begin(), first_.end(), first_.begin());
  covering_.resize(first_.back());
  starts_.resize(first_.back());
  highest_end_.resize(first_.back());
  std::vector<uint32_t> next = first_;
  for (const Index i : members) {
    for_each_node(layers[i], [&](size_t node) {
      const uint32_t at = next[node]++;
      covering_[at] = i;
      starts_[at] = layers[i].lsn_start;
      highest_end_[at] = layers[i].lsn_end;
      if (at > first_[node]) highest_end_[at] = std::max(highest_end_[at], highest_end_[at - 1]);
    });
  }
}

std::span<const LayerMap::Index> LayerMap::Plane::node(size_t number, Lsn lsn) const {
  const size_t first = first_[number];
  const auto starts = std::span(starts_).subspan(first, first_[number + 1] - first);
  const auto above = std::ranges::upper_bound(starts, lsn);
  return std::span(covering_).subspan(first, static_cast<size_t>(above - starts.begin()));
}

template <typename Visit>
void LayerMap::Plane::for_each_node(const LayerName& layer, Visit visit) const {
  const auto place = [this](const Key& border) {
    return static_cast<size_t>(std::ranges::lower_bound(borders_, border) - borders_.begin());
  };
  // The fewest nodes that together are the layer's places, from below.
  size_t begin = places() + place(layer.keys.start);
  size_t end = places() + place(layer.keys.end);
  for (; begin < end; begin /= 2, end /= 2) {
    if (begin % 2 == 1) visit(begin++);
    if (end % 2 == 1) visit(--end);
  }
}

std::optional<LayerMap::Index> LayerMap::Plane::find_at(std::span<const LayerName> layers,
                                                        size_t place, Lsn lsn) const {
  std::optional<Index> best;
  for (size_t number = places() + place; number > 0; number /= 2) {
    const auto covering = node(number, lsn);
    if (covering.empty()) continue;
    const Index found = covering.back();
    if (!best || height(layers[*best]) < height(layers[found])) best = found;
  }
  return best;
}

std::optional<LayerMap::Index> LayerMap::Plane::find(std::span<const LayerName> layers,
                                                     const Key& key, Lsn lsn) const {
  const auto above = std::ranges::upper_bound(borders_, key);
  if (above == borders_.begin() || above == borders_.end()) return std::nullopt;
  return find_at(layers, static_cast<size_t>(above - borders_.begin()) - 1, lsn);
}

std::vector<LayerMap::Part> LayerMap::Plane::find_all(std::span<const LayerName> layers,
                                                      const KeyRange& range, Lsn lsn) const {
  std::vector<Part> parts;
  const auto add = [&parts](const Key& start, const Key& end, std::optional<Index> image) {
    if (!parts.empty() && parts.back().image == image) {
      parts.back().range.end = end;
    } else {
      parts.push_back({{start, end}, image});
    }
  };
  auto border = std::ranges::upper_bound(borders_, range.start);
  for (Key at = range.start; at < range.end;) {
    std::optional<Index> image;
    if (border != borders_.begin() && border != borders_.end()) {
      image = find_at(layers, static_cast<size_t>(border - borders_.begin()) - 1, lsn);
    }
    const Key end = border == borders_.end() ? range.end : std::min(*border++, range.end);
    add(at, end, image);
    at = end;
  }
  return parts;
}

std::vector<LayerMap::Index> LayerMap::Plane::overlapping(std::span<const LayerName> layers,
                                                          const KeyRange& range, Lsn start,
                                                          Lsn last) const {
  std::vector<Index> found;
  if (range.empty() || places() == 0) return found;
  const auto first = std::ranges::upper_bound(borders_, range.start) - borders_.begin();
  const auto end = std::ranges::lower_bound(borders_, range.end) - borders_.begin();
  const auto first_place = static_cast<size_t>(std::max<ptrdiff_t>(first - 1, 0));
  const auto end_place = std::min(static_cast<size_t>(end), places());
  // Every node above the places, each once.
  std::vector<size_t> numbers;
  for (size_t place = first_place; place < end_place; ++place) {
    numbers.push_back(places() + place);
  }
  while (!numbers.empty()) {
    std::vector<size_t> parents;
    for (const size_t number : numbers) {
      // From above, until none further below reaches so high.
      for (size_t at = first_[number] + node(number, last).size();
           at > first_[number] && highest_end_[at - 1] > start; --at) {
        const Index i = covering_[at - 1];
        if (layers[i].lsn_end > start) found.push_back(i);
      }
      if (number > 1 && (parents.empty() || parents.back() != number / 2)) {
        parents.push_back(number / 2);
      }
    }
    numbers = std::move(parents);
  }
  std::ranges::sort(found, {}, [&](Index i) { return std::tuple(height(layers[i]), i); });
  found.erase(std::ranges::unique(found).begin(), found.end());
  return found;
}

}  // namespace varve
