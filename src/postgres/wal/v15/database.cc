#include "postgres/wal/v15/database.h"

#include "postgres/relation_map.h"
#include "postgres/wal/payload_reader.h"

namespace varve::wal15 {
namespace {

// XLOG_DBASE_* of src/include/commands/dbcommands_xlog.h.
constexpr uint8_t kCreateFileCopy = 0x00;
constexpr uint8_t kCreateWalLog = 0x10;
constexpr uint8_t kDropDatabase = 0x20;
// XLOG_TBLSPC_* of src/include/commands/tablespace.h.
constexpr uint8_t kCreateTablespace = 0x00;
constexpr uint8_t kDropTablespace = 0x10;

// These records have the database before the tablespace.
DatabaseTag take_directory(PayloadReader& reader) {
  const auto database = reader.take<uint32_t>();
  const auto tablespace = reader.take<uint32_t>();
  return {.tablespace = tablespace, .database = database};
}

}  // namespace

Result<DatabasePayload> parse_database(const DecodedRecord& record) {
  PayloadReader reader(record);
  DatabasePayload payload;
  switch (record.header().record_type()) {
    case kCreateFileCopy: {
      const DatabaseTag directory = take_directory(reader);
      payload = DatabaseCopied{.directory = directory, .source = take_directory(reader)};
      break;
    }
    case kCreateWalLog:
      payload = DatabaseCreated{take_directory(reader)};
      break;
    case kDropDatabase: {
      DatabaseDropped dropped{.database = reader.take<uint32_t>()};
      dropped.tablespaces = reader.take_list<uint32_t>(reader.take<uint32_t>());
      payload = dropped;
      break;
    }
    default:
      reader.fail();
  }
  VARVE_TRY(reader.finish("database"));
  return payload;
}

Result<TablespacePayload> parse_tablespace(const DecodedRecord& record) {
  PayloadReader reader(record);
  TablespacePayload payload;
  switch (record.header().record_type()) {
    case kCreateTablespace: {
      TablespaceCreated created{.tablespace = reader.take<uint32_t>()};
      created.path = reader.take_text();
      payload = created;
      break;
    }
    case kDropTablespace:
      payload = TablespaceDropped{reader.take<uint32_t>()};
      break;
    default:
      reader.fail();
  }
  VARVE_TRY(reader.finish("tablespace"));
  return payload;
}

Result<RelationMapUpdate> parse_relation_map(const DecodedRecord& record) {
  PayloadReader reader(record);
  RelationMapUpdate update{.directory = take_directory(reader)};
  update.file = reader.take_bytes(reader.take<uint32_t>());
  VARVE_TRY(reader.finish("relation map"));
  if (auto checked = check_relation_map(update.file); !checked.ok()) {
    return checked.error().context(fmt::format("the WAL record at {}", record.start()));
  }
  return update;
}

}  // namespace varve::wal15
