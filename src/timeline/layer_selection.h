// Which layers answer a read: pure, no I/O.
#pragma once

#include <span>
#include <vector>

#include "storage_sync/manifest.h"

namespace varve {

struct SelectedLayer {
  KeyRange range;  // The part of the read that this layer answers.
  // Null: none of the layers does. That never means that there are no such keys: the answer is to
  // be had from the ancestor, or is lost.
  const LayerEntry* layer = nullptr;
};

// For every key of `range` the newest image layer at or below `lsn`, as consecutive parts in key
// order. The pointers are into `layers`.
std::vector<SelectedLayer> select_images(std::span<const LayerEntry> layers, const KeyRange& range,
                                         Lsn lsn);

}  // namespace varve
