// A long listing in parts that are asked for at the same time.
#pragma once

#include <string>
#include <vector>

#include "remote_storage/remote_storage.h"

namespace varve {

struct ShardedListing {
  // In the order of keys, as list_all() gives them.
  std::vector<ObjectInfo> objects;
  // The storage's clock when it gave the first of them.
  Timestamp storage_time;
};

// Every object under a prefix. The first pages come one after the other, for most prefixes have no
// more; what follows is divided by the first digit of the IDs in the keys, which are drawn at
// random.
Result<ShardedListing> list_in_shards(RemoteStorage& storage, std::string_view prefix,
                                      const CallOptions& options);

// Where what follows `last` under `prefix` is divided: ascending, all above `last`.
std::vector<std::string> listing_borders(std::string_view prefix, std::string_view last);

}  // namespace varve
