// Bringing layers that are only remote, and read, into the work directory: the counterpart of
// layer_eviction.h, below whose low watermark it stays.
//
// It frees nothing and comes to a stop at the low watermark, while eviction begins above the high
// one, so that neither gives the other something to do. What is freed counts as not read, and comes
// back only when it is read again.
#pragma once

#include <optional>
#include <vector>

#include "timeline/open_timelines.h"

namespace varve {

// A layer that is only remote and was read lately.
struct PromotableLayer {
  TenantTimelineId timeline;
  LayerEntry layer;
  RemoteRead read;
};

// Whether the layer is worth having here: half of it was fetched already, or it was in use before a
// restart. Reading on demand has then cost so much that all of it costs at most twice that again.
bool is_worth_promotion(const PromotableLayer& layer);

// The one that was used last among those that are worth it and not larger than `room`, bytes; none
// when there is none. Pure.
std::optional<PromotableLayer> choose_promotion(std::vector<PromotableLayer> layers, uint64_t room);

// Most recently used first. Forgets what was read of layers that are gone or local by now.
Result<std::vector<PromotableLayer>> find_promotable(OpenTimelines& timelines);

// Brings at most one layer here; none when nothing is worth it, or has room below `low` bytes of
// layer files. Its time of modification is when it was used last. Reads of an open timeline go on
// with the local file. Fetches into the scratch directory, outside of the turn of the timeline's
// files, and one range of bytes at a time, so that no read waits for it. A layer that cannot be
// had, for another reason than that the storage does not answer, is logged and has to be read
// again.
Result<std::optional<PromotableLayer>> promote_layer(OpenTimelines& timelines, uint64_t low,
                                                     const CallOptions& call);

}  // namespace varve
