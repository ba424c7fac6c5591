// Which layers no read needs any more. Pure, no I/O.
#pragma once

#include <set>
#include <vector>

#include "timeline/timeline_view.h"

namespace varve {

// What can still be read of a timeline.
struct RetainedLsns {
  // Everything from here on.
  Lsn cutoff;
  // And single ones below: where branches begin, and where somebody reads.
  std::set<Lsn> pins = {};

  // The first one at or above `lsn`.
  Lsn first_from(Lsn lsn) const;
};

// Those whose keys are all covered by newer image layers wherever something retained reads them.
// Where there is no such image layer, a layer is kept.
std::vector<LayerEntry> find_garbage(const LayerSnapshot& layers, const RetainedLsns& retained);

}  // namespace varve
