// Finds the layers that answer a read, by key and LSN. Pure, no I/O.
//
// Layers are rectangles in the plane of keys and LSNs. Over the borders of their key ranges lies a
// segment tree whose nodes list the layers that cover them, by LSN: a layer of n stands in O(log n)
// nodes, and a lookup visits those above one place, with a binary search in each.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "layer/layer_name.h"

namespace varve {

// An immutable snapshot; copies of it and pointers to it may be read by any number of threads.
class LayerMap {
 public:
  // Which of the layers it was built of: 0 to size() - 1, in the order they were given.
  using Index = uint32_t;

  LayerMap() : LayerMap(std::vector<LayerName>()) {}
  explicit LayerMap(std::vector<LayerName> layers);

  size_t size() const { return layers_.size(); }
  const LayerName& layer(Index index) const { return layers_[index]; }

  // The image layer of `key` with the highest LSN at or below `lsn`.
  std::optional<Index> newest_image(const Key& key, Lsn lsn) const;
  // Of the delta layers of `key` that begin at or below `lsn`, the one that begins last; of those
  // that begin together, the one that ends last.
  std::optional<Index> newest_delta(const Key& key, Lsn lsn) const;

  // A part of a range, and the newest image layer at or below the LSN that covers it.
  struct Part {
    KeyRange range;
    // None: no layer does. That never means that there are no such keys.
    std::optional<Index> image;
  };
  // All of `range`, as consecutive parts in key order; neighbours differ in their layers.
  std::vector<Part> newest_images(const KeyRange& range, Lsn lsn) const;

  // The delta layers with keys of `range` and LSNs from `start` up to and including `last`, in
  // ascending order of their first LSN.
  std::vector<Index> deltas(const KeyRange& range, Lsn start, Lsn last) const;

 private:
  // The layers of one kind.
  class Plane {
   public:
    Plane() = default;
    Plane(std::span<const LayerName> layers, bool images);

    // Of those that cover `key` and begin at or below `lsn`, the one that comes last in order.
    std::optional<Index> find(std::span<const LayerName> layers, const Key& key, Lsn lsn) const;
    std::vector<Part> find_all(std::span<const LayerName> layers, const KeyRange& range,
                               Lsn lsn) const;
    std::vector<Index> overlapping(std::span<const LayerName> layers, const KeyRange& range,
                                   Lsn start, Lsn last) const;

   private:
    // The layers of a node that begin at or below `lsn`, as a part of covering_.
    std::span<const Index> node(size_t number, Lsn lsn) const;
    // Places lie between neighbouring borders.
    size_t places() const { return borders_.empty() ? 0 : borders_.size() - 1; }
    std::optional<Index> find_at(std::span<const LayerName> layers, size_t place, Lsn lsn) const;
    template <typename Visit>
    void for_each_node(const LayerName& layer, Visit visit) const;

    // Of the key ranges, ascending.
    std::vector<Key> borders_;
    // The tree: node 1 is the root, those below n are 2n and 2n + 1, and place p is at places() +
    // p. Its layers are covering_[first_[n]] to covering_[first_[n + 1] - 1], the last ones last.
    std::vector<uint32_t> first_;
    std::vector<Index> covering_;
    // Where the list's layers begin: a search that looked there itself would miss the processor's
    // caches at every step once there are many.
    std::vector<Lsn> starts_;
    // The highest end of the list's layers up to this one.
    std::vector<Lsn> highest_end_;
  };

  std::vector<LayerName> layers_;
  Plane images_;
  Plane deltas_;
};

}  // namespace varve
