// What every RemoteStorage checks of its arguments in the same way.
#pragma once

#include "remote_storage/remote_storage.h"

namespace varve {

// The bytes that a range selects of an object.
struct ByteInterval {
  uint64_t start = 0;
  uint64_t size = 0;
};

// InvalidArgument when the range is none, or starts beyond `object_size`.
Result<ByteInterval> resolve_range(const ByteRange& range, uint64_t object_size,
                                   std::string_view key);

// InvalidArgument for a bad key, for sizes and counts beyond the storage's limits, and for a
// condition that it does not know.
Result<> check_put(const StorageTraits& traits, std::string_view key, uint64_t size,
                   PutCondition condition);
Result<> check_multipart(const StorageTraits& traits, std::string_view key, uint64_t part_size);
Result<> check_part(const StorageTraits& traits, std::string_view key, uint32_t number,
                    uint64_t size, uint64_t part_size);
Result<> check_removal(const StorageTraits& traits, const std::vector<std::string>& keys);

}  // namespace varve
