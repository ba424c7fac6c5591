#include "postgres/database_row.h"

namespace varve {
namespace {

// Offsets in FormData_pg_database. The columns up to datconnlimit have fixed lengths, and are not
// null.
constexpr size_t kOid = 0;
constexpr size_t kName = 4;
constexpr size_t kNameSize = 64;  // NAMEDATALEN, the terminating zero included
constexpr size_t kIsTemplate = 77;
constexpr size_t kConnectionLimit = 80;
constexpr size_t kSizeUpToLimit = 84;
constexpr uint32_t kColumnsUpToLimit = 8;  // Anum_pg_database_datconnlimit

constexpr auto kInvalidDatabase = static_cast<uint32_t>(-2);  // DATCONNLIMIT_INVALID_DB

}  // namespace

Result<DatabaseRow> read_database_row(ByteView page, const HeapTuple& tuple) {
  const auto damaged = [&tuple](std::string_view why) {
    return make_error(ErrorCode::kCorrupted, "tuple {} is no row of pg_database: {}", tuple.item,
                      why);
  };
  if (tuple.columns < kColumnsUpToLimit || tuple.data_size < kSizeUpToLimit) {
    return damaged("it has too few columns");
  }
  const uint8_t* row = &page[tuple.data_offset];
  const std::string_view name_field = as_text({row + kName, kNameSize});
  const size_t name_size = name_field.find('\0');
  if (name_size == name_field.npos || name_size == 0) return damaged("it has no name");
  const auto oid = load_little<uint32_t>(row + kOid);
  if (oid == 0) return damaged("it has no OID");
  return DatabaseRow{
      .oid = oid,
      .name = std::string(name_field.substr(0, name_size)),
      .is_invalid = load_little<uint32_t>(row + kConnectionLimit) == kInvalidDatabase};
}

void invalidate_database_row(std::span<uint8_t> page, const HeapTuple& tuple) {
  const std::span<uint8_t> row = page.subspan(tuple.data_offset);
  row[kIsTemplate] = 0;
  store_little(&row[kConnectionLimit], kInvalidDatabase);
}

}  // namespace varve
