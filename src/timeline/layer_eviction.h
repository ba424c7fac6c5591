// Freeing the local copies of layers when they take too much of the disk.
#pragma once

#include "timeline/open_timelines.h"

namespace varve {

struct EvictionLimits {
  // Bytes of layer files in the work directory from which on some go, and how far; `high` 0: never.
  uint64_t high = 0;
  uint64_t low = 0;
};

// A local copy of a layer that is remote.
struct EvictableLayer {
  TenantTimelineId timeline;
  LayerName layer;
  uint64_t size = 0;  // Bytes.
  Timestamp used;     // Last.
};

// The copies of layers that a work directory has.
struct LocalLayers {
  uint64_t bytes = 0;  // Of all layer files, also of those that are not remote.
  std::vector<EvictableLayer> evictable;
};
// Notes in the files besides when they were used last.
Result<LocalLayers> find_local_layers(OpenTimelines& timelines);

// Those that were not used for the longest time, until `bytes` or more are freed. Pure.
std::vector<EvictableLayer> choose_evictions(std::vector<EvictableLayer> layers, uint64_t bytes);

struct EvictionReport {
  uint64_t local_bytes = 0;  // Of layer files, before; 0 where there is no limit to look at.
  TenantManager::FreedLayers freed;
};
// Frees copies where there are more bytes than `high`. A layer that is not remote stays, whatever
// the limits. When a layer was used last is kept as the time of modification of its file, so that a
// restart knows it too. What fails with one timeline is logged, and the others go on.
Result<EvictionReport> evict_layers(OpenTimelines& timelines, const EvictionLimits& limits,
                                    const CallOptions& call);

}  // namespace varve
