#include "remote_storage/part_sizes.h"

namespace varve {

void PartSizes::add(uint32_t number, uint64_t size) {
  const std::lock_guard lock(mutex_);
  sizes_[number] = size;
}

Result<> PartSizes::check_complete(uint32_t parts) const {
  const std::lock_guard lock(mutex_);
  if (parts == 0 || sizes_.size() != parts || sizes_.rbegin()->first != parts - 1) {
    return make_error(ErrorCode::kInvalidArgument,
                      "cannot complete {} with {} parts: {} have come, and all of them from 0 on "
                      "are needed",
                      key_, parts, sizes_.size());
  }
  for (const auto& [number, size] : sizes_) {
    if (size == part_size_ || number == parts - 1) continue;
    return make_error(ErrorCode::kInvalidArgument,
                      "part {} of {} has {} bytes: every part but the last must have {}", number,
                      key_, size, part_size_);
  }
  return {};
}

}  // namespace varve
