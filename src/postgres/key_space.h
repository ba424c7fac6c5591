// What the 18 bytes of a page key mean: one key for each fact of a PostgreSQL cluster.
//
// The layouts and the encodings of the values are in docs/formats/key-space.md. Keys order like the
// facts they name: by kind, then by the fields as numbers, in the order in which they are listed
// here.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "layer/key.h"
#include "postgres/layout.h"
#include "postgres/slru.h"

namespace varve {

// The first byte of a key. Stored: a number never changes its meaning.
enum class KeyKind : uint8_t {
  kControlFile = 1,
  kCheckpoint = 2,
  kDataDirectory = 3,
  kTablespace = 4,
  kDatabaseDirectory = 5,
  kRelationMap = 6,
  kRelationSize = 7,
  kRelationBlock = 8,
  kSlruSegmentSize = 9,
  kSlruBlock = 10,
  kTwoPhaseFile = 11,
  kAuxiliaryFile = 12,
  kTimeIndex = 13,
};

struct ControlFileKey {
  auto operator<=>(const ControlFileKey&) const = default;
};
struct CheckpointKey {
  auto operator<=>(const CheckpointKey&) const = default;
};
struct DataDirectoryKey {
  auto operator<=>(const DataDirectoryKey&) const = default;
};
struct TablespaceKey {
  uint32_t tablespace = 0;
  auto operator<=>(const TablespaceKey&) const = default;
};
struct DatabaseDirectoryKey {
  DatabaseTag directory;
  auto operator<=>(const DatabaseDirectoryKey&) const = default;
};
struct RelationMapKey {
  DatabaseTag directory;
  auto operator<=>(const RelationMapKey&) const = default;
};
struct RelationSizeKey {
  RelationForkTag fork;
  auto operator<=>(const RelationSizeKey&) const = default;
};
struct RelationBlockKey {
  RelationForkTag fork;
  uint32_t block = 0;
  auto operator<=>(const RelationBlockKey&) const = default;
};
struct SlruSegmentSizeKey {
  Slru slru = Slru::kTransactionStatus;
  uint32_t segment = 0;
  auto operator<=>(const SlruSegmentSizeKey&) const = default;
};
// `page` counts through all segments: page 33 is the second of segment 1.
struct SlruBlockKey {
  Slru slru = Slru::kTransactionStatus;
  uint32_t page = 0;
  auto operator<=>(const SlruBlockKey&) const = default;
};
struct TwoPhaseFileKey {
  uint32_t transaction = 0;
  auto operator<=>(const TwoPhaseFileKey&) const = default;
};
struct AuxiliaryFileKey {
  uint64_t path_hash = 0;
  uint32_t chunk = 0;
  auto operator<=>(const AuxiliaryFileKey&) const = default;
};
struct TimeIndexKey {
  Timestamp time;
  auto operator<=>(const TimeIndexKey&) const = default;
};

using KeyFields =
    std::variant<ControlFileKey, CheckpointKey, DataDirectoryKey, TablespaceKey,
                 DatabaseDirectoryKey, RelationMapKey, RelationSizeKey, RelationBlockKey,
                 SlruSegmentSizeKey, SlruBlockKey, TwoPhaseFileKey, AuxiliaryFileKey, TimeIndexKey>;

Key make_key(const ControlFileKey& fields);
Key make_key(const CheckpointKey& fields);
Key make_key(const DataDirectoryKey& fields);
Key make_key(const TablespaceKey& fields);
Key make_key(const DatabaseDirectoryKey& fields);
Key make_key(const RelationMapKey& fields);
Key make_key(const RelationSizeKey& fields);
Key make_key(const RelationBlockKey& fields);
Key make_key(const SlruSegmentSizeKey& fields);
Key make_key(const SlruBlockKey& fields);
Key make_key(const TwoPhaseFileKey& fields);
Key make_key(const AuxiliaryFileKey& fields);
Key make_key(const TimeIndexKey& fields);

// The inverse of make_key; Corrupted for a key that make_key never gives.
Result<KeyFields> parse_key(const Key& key);

// The hash of an auxiliary file's path (relative to the data directory) that stands in its keys.
uint64_t auxiliary_path_hash(std::string_view path);

// All keys of one kind.
KeyRange range_of(KeyKind kind);
// The sizes, or the blocks, of all relations in a database directory.
KeyRange relation_sizes_of(const DatabaseTag& directory);
KeyRange relation_blocks_of(const DatabaseTag& directory);
// The sizes, or the blocks, of all forks of one relation.
KeyRange relation_sizes_of(const RelationTag& relation);
KeyRange relation_blocks_of(const RelationTag& relation);
// The pages of one SLRU segment.
KeyRange slru_blocks_of(Slru slru, uint32_t segment);

// For people: "relation 1663/5/16384 main block 7". Hex digits for a key that parse_key refuses.
std::string describe(const Key& key);

}  // namespace varve
