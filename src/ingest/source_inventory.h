// What a data directory holds, sorted into the facts of the key space before anything is read.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "ingest/data_directory.h"
#include "postgres/layout.h"
#include "postgres/slru.h"

namespace varve {

struct SourceTablespace {
  uint32_t tablespace = 0;
  std::string location;  // Empty for a directory inside pg_tblspc.
};

struct SourceDatabase {
  DatabaseTag directory;
  bool has_version_file = false;
  bool has_relation_map = false;
};

struct SourceFork {
  RelationForkTag fork;
  uint32_t blocks = 0;
};

struct SourceSlruSegment {
  Slru slru = Slru::kTransactionStatus;
  uint32_t segment = 0;
  uint32_t pages = 0;
};

struct SourceAuxiliaryFile {
  uint64_t path_hash = 0;
  std::string path;  // Relative to the data directory.
  mode_t mode = 0;
  uint64_t size = 0;
};

// Each list is in the order of its keys. The directory `global` is not among the databases' main
// directories but is listed like one, for its relation map.
struct SourceInventory {
  std::vector<SourceTablespace> tablespaces;
  std::vector<SourceDatabase> databases;
  std::vector<SourceFork> forks;
  std::vector<SourceSlruSegment> slru_segments;
  std::vector<uint32_t> prepared_transactions;
  std::vector<SourceAuxiliaryFile> auxiliary_files;
  // Paths of what is neither file, directory nor usable link.
  std::vector<std::string> skipped;

  // Of all files that will be read.
  uint64_t total_bytes() const;
};

// Leaves out what a restored cluster must not have or rebuilds: see import.h. Corrupted for
// relation or SLRU files whose sizes are impossible, naming the file; Denied for an unreadable
// directory.
Result<SourceInventory> take_inventory(const DataDirectory& source);

}  // namespace varve
