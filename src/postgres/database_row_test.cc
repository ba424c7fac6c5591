#include "postgres/database_row.h"

#include <gtest/gtest.h>

#include "postgres/test_support/heap_page_builder.h"

namespace varve {
namespace {

struct OneRow {
  explicit OneRow(const TestTuple& row)
      : page(HeapPageBuilder().add(row).page()), tuple(heap_tuples(page)->front()) {}

  Result<DatabaseRow> read() const { return read_database_row(page, tuple); }

  Bytes page;
  HeapTuple tuple;
};

TEST(DatabaseRow, IsReadFromItsTuple) {
  const auto row = OneRow({.data = database_columns(16400, "zwei Städte")}).read();
  ASSERT_TRUE(row.ok()) << row.error().message();
  EXPECT_EQ(row->oid, 16400U);
  EXPECT_EQ(row->name, "zwei Städte");
  EXPECT_FALSE(row->is_invalid);
  EXPECT_TRUE(OneRow({.data = database_columns(16400, "half", -2)}).read()->is_invalid);
  EXPECT_FALSE(OneRow({.data = database_columns(16400, "full", 0)}).read()->is_invalid);
}

TEST(DatabaseRow, MayHaveTheLongestName) {
  EXPECT_EQ(OneRow({.data = database_columns(7, std::string(63, 'x'))}).read()->name.size(), 63U);
}

TEST(DatabaseRow, InvalidIsOneThatCanBeDropped) {
  OneRow row({.data = database_columns(16400, "model", 10, true)});
  const OneRow expected({.data = database_columns(16400, "model", -2, false)});
  invalidate_database_row(row.page, row.tuple);
  set_page_checksum(row.page, 0);
  EXPECT_EQ(row.page, expected.page) << "nothing else changes";
  EXPECT_TRUE(row.read()->is_invalid);
}

TEST(DatabaseRow, OtherTuplesAreRefused) {
  const Bytes whole = database_columns(7, "seven");
  const auto is_refused = [](const TestTuple& tuple) {
    return OneRow(tuple).read().failed_with(ErrorCode::kCorrupted);
  };
  EXPECT_TRUE(is_refused({.columns = 7, .data = whole}));
  EXPECT_TRUE(is_refused({.flags = HeapTuple::kHasNull, .nulls = 0xDF, .data = whole}));
  EXPECT_TRUE(is_refused({.data = Bytes(whole.begin(), whole.begin() + 83)}));
  EXPECT_FALSE(is_refused({.data = Bytes(whole.begin(), whole.begin() + 84)}));
  EXPECT_TRUE(is_refused({.data = database_columns(7, "")}));
  EXPECT_TRUE(is_refused({.data = database_columns(7, std::string(64, 'x'))}));
  EXPECT_TRUE(is_refused({.data = database_columns(0, "none")}));
}

}  // namespace
}  // namespace varve
