// The values that stand under the keys of key_space.h and are not simply PostgreSQL's own bytes.
// The layouts are in docs/formats/key-space.md.
#pragma once

#include <sys/types.h>

#include <array>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace varve {

// A number of blocks or pages: under relation sizes and SLRU segment sizes.
std::array<uint8_t, 4> encode_block_count(uint32_t blocks);
Result<uint32_t> decode_block_count(ByteView value);

// Under the data directory's key.
struct DataDirectoryFacts {
  // Permission bits: 0700, or 0750 when the cluster allows its group to read.
  mode_t mode = 0700;

  Bytes encode() const;
  static Result<DataDirectoryFacts> decode(ByteView value);
};

// Under a tablespace.
struct TablespaceFacts {
  // What pg_tblspc/<oid> linked to at the source; empty for a tablespace kept inside pg_tblspc.
  std::string location;

  Bytes encode() const;
  static Result<TablespaceFacts> decode(ByteView value);
};

// Under a database directory.
struct DatabaseDirectoryFacts {
  // Whether the directory holds a PG_VERSION file. A database's main directory does; one that
  // merely holds some of its relations in another tablespace does not.
  bool has_version_file = true;

  Bytes encode() const;
  static Result<DatabaseDirectoryFacts> decode(ByteView value);
};

// Auxiliary files are cut into chunks of this many bytes; only the last may be shorter.
inline constexpr size_t kAuxiliaryChunkSize = 1U << 20;

// Under chunk 0 of an auxiliary file, before the bytes of that chunk. The chunks that follow are
// bytes alone; those beyond `size` are leftovers of a longer version and count for nothing.
struct AuxiliaryFileHeader {
  // Relative to the data directory, normalised: no empty, "." or ".." component.
  std::string path;
  // st_mode: permission bits, and S_IFREG or S_IFDIR. Directories are stored when they are empty.
  mode_t mode = 0;
  uint64_t size = 0;

  uint32_t chunk_count() const;
  Bytes encode() const;
  // Reads the header and leaves `value` at the bytes of the chunk. Corrupted for a path that is not
  // normalised, so that no stored path ever leads out of a data directory.
  static Result<AuxiliaryFileHeader> decode(ByteView& value);
};

}  // namespace varve
