// Rewriting the layers of a timeline, so that reads have few to look into.
//
// A flush writes delta layers of all keys. Merged, they become delta layers that share the keys
// among them; where several of those lie above an image layer, a newer image layer spares reads the
// way through them. Nothing is lost: what the new layers do not replace is kept.
#pragma once

#include "timeline/layer_files.h"
#include "timeline/timeline_reader.h"

namespace varve {

struct CompactionOptions {
  // Delta layers of all keys from which on they are merged.
  size_t merged_layers = 10;
  // Merged delta layers above an image layer from which on there is to be a newer one.
  size_t layers_above_image = 3;
  // A new layer file that has grown past this is closed, bytes.
  uint64_t layer_size = 128ULL << 20;
};

struct LayerChange {
  std::vector<LayerEntry> added;
  std::vector<LayerEntry> removed;

  bool empty() const { return added.empty() && removed.empty(); }
};

// Whether a delta layer is one that a flush wrote.
bool holds_all_keys(const LayerName& name);

// Merges the delta layers of all keys, if there are enough of them.
Result<LayerChange> merge_deltas(const LayerSnapshot& layers, LayerCache& cache, LayerFiles& files,
                                 const CompactionOptions& options);

// Makes image layers at `lsn` of the ranges where chains have grown long; what a branch inherits
// stays with its ancestor. Everything up to `lsn` must be in the layers.
Result<LayerChange> make_images(const LayerSnapshot& layers, Lsn lsn, VersionSource& source,
                                LayerFiles& files, const CompactionOptions& options);

}  // namespace varve
