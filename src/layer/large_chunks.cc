#include "layer/large_chunks.h"

#include <sys/mman.h>

#include <algorithm>
#include <iterator>
#include <new>

namespace varve {
namespace {

constexpr size_t kHugePage = 2U << 20;

LargeChunks::Chunk allocate() {
  LargeChunks::Chunk chunk(
      static_cast<uint8_t*>(std::aligned_alloc(kHugePage, LargeChunks::kSize)));
  if (chunk == nullptr) throw std::bad_alloc();
  // Advice: it is no error when there are none.
  ::madvise(chunk.get(), LargeChunks::kSize, MADV_HUGEPAGE);
  return chunk;
}

}  // namespace

LargeChunks::Chunk LargeChunks::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!spare_.empty()) {
      Chunk chunk = std::move(spare_.back());
      spare_.pop_back();
      return chunk;
    }
  }
  return allocate();
}

void LargeChunks::give_back(Chunk chunk) {
  const std::lock_guard lock(mutex_);
  spare_.push_back(std::move(chunk));
}

void LargeChunks::trim(size_t kept) {
  std::vector<Chunk> freed;
  const std::lock_guard lock(mutex_);
  const auto first = spare_.begin() + static_cast<ptrdiff_t>(std::min(kept, spare_.size()));
  freed.assign(std::make_move_iterator(first), std::make_move_iterator(spare_.end()));
  spare_.erase(first, spare_.end());
}

size_t LargeChunks::spare() const {
  const std::lock_guard lock(mutex_);
  return spare_.size();
}

}  // namespace varve
