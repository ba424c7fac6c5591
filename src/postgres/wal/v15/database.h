// Records of the resource managers Database (src/include/commands/dbcommands_xlog.h), Tablespace
// (commands/tablespace.h) and RelMap (utils/relmapper.h): whole directories of relations.
#pragma once

#include <string_view>
#include <variant>

#include "postgres/layout.h"
#include "postgres/wal/decoded_record.h"
#include "postgres/wal/entry_list.h"

namespace varve::wal15 {

// STRATEGY = file_copy: all files of `source` are copied, as they are at this moment.
struct DatabaseCopied {
  DatabaseTag directory;
  DatabaseTag source;
};
// STRATEGY = wal_log: an empty directory; its content comes in records of its own.
struct DatabaseCreated {
  DatabaseTag directory;
};
// The directories of the database in these tablespaces are gone.
struct DatabaseDropped {
  uint32_t database = 0;
  EntryList<uint32_t> tablespaces;
};
using DatabasePayload = std::variant<DatabaseCopied, DatabaseCreated, DatabaseDropped>;

Result<DatabasePayload> parse_database(const DecodedRecord& record);

// `path` is where the server's administrator put it; empty for one inside the data directory.
struct TablespaceCreated {
  uint32_t tablespace = 0;
  std::string_view path;
};
struct TablespaceDropped {
  uint32_t tablespace = 0;
};
using TablespacePayload = std::variant<TablespaceCreated, TablespaceDropped>;

Result<TablespacePayload> parse_tablespace(const DecodedRecord& record);

// The new content of pg_filenode.map in `directory`, which check_relation_map has checked.
struct RelationMapUpdate {
  DatabaseTag directory;
  ByteView file;
};

Result<RelationMapUpdate> parse_relation_map(const DecodedRecord& record);

}  // namespace varve::wal15
