// Which requests bring wanted frames: pure, no I/O.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "storage_sync/frame_stream.h"

namespace varve {

// `wanted` are numbers of frames, ascending. Each range is one request; it begins and ends with a
// wanted frame. Two wanted frames share a request where at most `read_through` stored bytes lie
// between them.
std::vector<FrameRange> plan_requests(const FrameTable& table, std::span<const size_t> wanted,
                                      uint64_t read_through);

}  // namespace varve
