// The facts of a PostgreSQL 15 data directory that the other files share: sizes, well-known OIDs
// and directory names. They are those of every build with default options, which includes all
// distributions; control_file.h refuses a cluster of any other build.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace varve {

// PG_MAJORVERSION, as the files named PG_VERSION hold it.
inline constexpr std::string_view kPostgresMajorVersion = "15";

// CATALOG_VERSION_NO of src/include/catalog/catversion.h.
inline constexpr uint32_t kCatalogVersion = 202209061;

// TABLESPACE_VERSION_DIRECTORY of src/include/common/relpath.h: each tablespace keeps the files of
// one major version in a directory of this name.
inline constexpr std::string_view kTablespaceVersionDirectory = "PG_15_202209061";

// BLCKSZ: bytes in a block of a relation or an SLRU.
inline constexpr uint32_t kBlockSize = 8192;
// RELSEG_SIZE: blocks in a full segment file of a relation, 1 GiB.
inline constexpr uint32_t kBlocksPerSegment = 131072;
// MAXALIGN(SizeOfPageHeaderData) of src/include/storage/bufpage.h: bytes in the header of a page.
inline constexpr uint32_t kPageHeaderSize = 24;
// HEAPBLOCKS_PER_BYTE and HEAPBLOCKS_PER_PAGE of src/backend/access/heap/visibilitymap.c: a page of
// a visibility map has two bits a block of the heap, behind its header.
inline constexpr uint32_t kHeapBlocksPerMapByte = 4;
inline constexpr uint32_t kHeapBlocksPerMapPage =
    (kBlockSize - kPageHeaderSize) * kHeapBlocksPerMapByte;
// XLOG_BLCKSZ: bytes in a page of WAL.
inline constexpr uint32_t kWalBlockSize = 8192;
// WalSegMinSize and WalSegMaxSize of src/include/access/xlog_internal.h.
inline constexpr uint32_t kMinimumWalSegmentSize = 1U << 20;
inline constexpr uint32_t kMaximumWalSegmentSize = 1U << 30;

// src/include/catalog/pg_tablespace.dat: pg_default, below base/, and pg_global, the directory
// global/.
inline constexpr uint32_t kDefaultTablespace = 1663;
inline constexpr uint32_t kGlobalTablespace = 1664;
// DatabaseRelationId of src/include/catalog/pg_database.h: the shared catalog of all databases.
inline constexpr uint32_t kDatabaseCatalog = 1262;
// FirstNormalObjectId of src/include/access/transam.h: what initdb makes has lower OIDs.
inline constexpr uint32_t kFirstNormalOid = 16384;

// MAXALIGN of a 64-bit build: records of the WAL, and the parts of other files, start at multiples
// of 8.
constexpr uint64_t align_maximally(uint64_t value) {
  return (value + 7) & ~uint64_t{7};
}

// A directory of relation files: one database in one tablespace. Database 0 is the shared catalogs
// of pg_global.
struct DatabaseTag {
  uint32_t tablespace = 0;
  uint32_t database = 0;
  auto operator<=>(const DatabaseTag&) const = default;

  // Relative to the data directory: "global", "base/5", "pg_tblspc/16390/PG_15_202209061/5".
  std::string path() const;
  // The directory that a file or directory, relative to the data directory, is or lies in; nothing
  // for one that lies in none.
  static std::optional<DatabaseTag> of_path(std::string_view path);
};

// A relation by the numbers that name its files (RelFileNode, src/include/storage/relfilenode.h).
struct RelationTag {
  DatabaseTag directory;
  uint32_t relation = 0;
  auto operator<=>(const RelationTag&) const = default;
};

// ForkNumber of src/include/common/relpath.h.
enum class RelationFork : uint8_t {
  kMain = 0,
  kFreeSpaceMap = 1,
  kVisibilityMap = 2,
  kInit = 3,
};
inline constexpr uint8_t kForkCount = 4;

// "main", "fsm", "vm", "init".
std::string_view name(RelationFork fork);

struct RelationForkTag {
  RelationTag relation;
  RelationFork fork = RelationFork::kMain;
  auto operator<=>(const RelationForkTag&) const = default;

  // The file of one segment, relative to the data directory: "base/5/16384_vm", "base/5/16384.1".
  std::string path(uint32_t segment = 0) const;
  // "relation 1663/5/16384 main".
  std::string to_string() const;
};

}  // namespace varve
