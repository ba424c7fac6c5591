// Records of the resource manager Storage (src/include/catalog/storage_xlog.h).
#pragma once

#include <variant>

#include "postgres/layout.h"
#include "postgres/wal/decoded_record.h"

namespace varve::wal15 {

// The file of a fork comes into being, empty.
struct RelationCreated {
  RelationForkTag fork;
};

// The forks named below end before `block`, counted in the main fork.
struct RelationTruncated {
  RelationTag relation;
  uint32_t block = 0;
  bool main = false;
  bool visibility_map = false;
  bool free_space_map = false;
};

using StoragePayload = std::variant<RelationCreated, RelationTruncated>;

Result<StoragePayload> parse_storage(const DecodedRecord& record);

}  // namespace varve::wal15
