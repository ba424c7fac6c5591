// Which layers answer a read: pure, no I/O.
#pragma once

#include <span>
#include <vector>

#include "storage_sync/manifest.h"

namespace varve {

struct SelectedLayer {
  KeyRange range;  // The part of the read that this layer answers.
  const LayerEntry* layer = nullptr;
};

// For every key of `range` the newest image layer at or below `lsn`, as consecutive parts in key
// order. Corrupted, naming the keys, where no image covers them: a gap is never read as "no such
// key". The pointers are into `layers`.
Result<std::vector<SelectedLayer>> select_images(std::span<const LayerEntry> layers,
                                                 const KeyRange& range, Lsn lsn);

}  // namespace varve
