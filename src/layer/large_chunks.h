// Memory for layers that have become large.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

namespace varve {

// Pieces of 16 MiB, in huge pages where the kernel has any, that are used again by the next layer:
// memory that is new costs a fault for every page, which takes longer than to write to it.
// Thread-safe.
class LargeChunks {
 public:
  static constexpr size_t kSize = 16U << 20;
  struct Free {
    void operator()(uint8_t* memory) const { std::free(memory); }
  };
  using Chunk = std::unique_ptr<uint8_t[], Free>;

  // Not cleared. Throws std::bad_alloc.
  Chunk take();
  void give_back(Chunk chunk);

  // Frees what nobody uses, `kept` of them excepted.
  void trim(size_t kept);
  // How many nobody uses.
  size_t spare() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Chunk> spare_;
};

}  // namespace varve
