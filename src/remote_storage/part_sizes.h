// Which parts of a multipart upload have come, for the storages that assemble objects themselves.
#pragma once

#include <map>
#include <mutex>

#include "remote_storage/remote_storage.h"

namespace varve {

// Thread-safe.
class PartSizes {
 public:
  PartSizes(std::string key, uint64_t part_size) : key_(std::move(key)), part_size_(part_size) {}

  void add(uint32_t number, uint64_t size);

  // InvalidArgument unless exactly the parts 0 to parts-1 have come, all but the last of the
  // announced size.
  Result<> check_complete(uint32_t parts) const;

 private:
  const std::string key_;
  const uint64_t part_size_;
  mutable std::mutex mutex_;
  std::map<uint32_t, uint64_t> sizes_;
};

}  // namespace varve
