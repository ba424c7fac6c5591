#include "storage_sync/frame_plan.h"

namespace varve {

std::vector<FrameRange> plan_requests(const FrameTable& table, std::span<const size_t> wanted,
                                      uint64_t read_through) {
  std::vector<FrameRange> requests;
  for (const size_t frame : wanted) {
    if (!requests.empty()) {
      FrameRange& last = requests.back();
      const uint64_t end = table[last.end - 1].offset + table[last.end - 1].stored_size;
      if (table[frame].offset >= end && table[frame].offset - end <= read_through) {
        last.end = frame + 1;
        continue;
      }
    }
    requests.push_back({frame, frame + 1});
  }
  return requests;
}

}  // namespace varve
