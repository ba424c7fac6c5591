// Rows of the catalog pg_database (src/include/catalog/pg_database.h), as far as they matter here.
#pragma once

#include <span>
#include <string>

#include "postgres/heap_page.h"

namespace varve {

struct DatabaseRow {
  uint32_t oid = 0;
  std::string name;
  // Half dropped: the server lets nobody connect, and offers to drop the rest. Servers before 15.4
  // do not know the mark.
  bool is_invalid = false;
};

// The row in a tuple of a page of the catalog; Corrupted when the tuple cannot be one.
Result<DatabaseRow> read_database_row(ByteView page, const HeapTuple& tuple);

// Makes a row that read_database_row accepts that of a half dropped database, which can be dropped
// also when it was a template.
void invalidate_database_row(std::span<uint8_t> page, const HeapTuple& tuple);

}  // namespace varve
