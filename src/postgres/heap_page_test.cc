#include "postgres/heap_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "postgres/database_row.h"
#include "postgres/test_support/heap_page_builder.h"

namespace varve {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string refusal(const Result<std::vector<HeapTuple>>& result) {
  if (result.ok()) return "it was accepted";
  EXPECT_EQ(result.code(), ErrorCode::kCorrupted);
  return result.error().message();
}

TEST(HeapPage, TuplesAreWhereTheirPointersSay) {
  const Bytes page = HeapPageBuilder()
                         .add({.xmin = 3, .xmax = 9, .flags = 0x1480, .data = {1, 2, 3}})
                         .add({.xmin = 4, .columns = 2, .data = {4}})
                         .page();
  const auto tuples = heap_tuples(page);
  ASSERT_TRUE(tuples.ok()) << tuples.error().message();
  ASSERT_THAT(*tuples, SizeIs(2));
  const HeapTuple& first = tuples->front();
  EXPECT_EQ(first.item, 1U);
  EXPECT_EQ(first.xmin, 3U);
  EXPECT_EQ(first.xmax, 9U);
  EXPECT_EQ(first.columns, 8U);
  EXPECT_EQ(first.data_offset, kBlockSize - 8U);
  EXPECT_EQ(first.data_size, 3U);
  EXPECT_FALSE(first.xmin_is_committed());
  EXPECT_TRUE(first.xmax_is_multixact() && first.xmax_is_committed() && first.xmax_only_locks());
  EXPECT_EQ(tuples->back().item, 2U);
  EXPECT_EQ(tuples->back().columns, 2U);
  EXPECT_EQ(page[tuples->back().data_offset], 4U);
}

TEST(HeapPage, FlagsAreReadAsTheServerDoes) {
  const auto with = [](uint16_t flags) { return HeapTuple{.xmax = 5, .flags = flags}; };
  EXPECT_TRUE(with(0x0100).xmin_is_committed());
  EXPECT_TRUE(with(0x0300).xmin_is_committed()) << "frozen";
  EXPECT_TRUE(with(0x0200).xmin_is_invalid());
  EXPECT_FALSE(with(0x0300).xmin_is_invalid());
  EXPECT_TRUE(with(0x0800).xmax_is_invalid());
  EXPECT_FALSE(with(0).xmax_is_invalid());
  EXPECT_TRUE(HeapTuple{}.xmax_is_invalid());
  EXPECT_TRUE(with(0x0040).xmax_only_locks()) << "an exclusive lock alone";
  EXPECT_FALSE(with(0x0050).xmax_only_locks());
  EXPECT_FALSE(with(0x1040).xmax_only_locks()) << "an update, and locks of others";
  EXPECT_TRUE(with(0x1080).xmax_only_locks());
}

TEST(HeapPage, OnlyNormalPointersHaveTuples) {
  const Bytes page = HeapPageBuilder()
                         .add_pointer(0, 0, 0)
                         .add_pointer(4, 2, 0)
                         .add_pointer(0, 3, 0)
                         .add({})
                         .page();
  const auto tuples = heap_tuples(page);
  ASSERT_TRUE(tuples.ok()) << tuples.error().message();
  ASSERT_THAT(*tuples, SizeIs(1));
  EXPECT_EQ(tuples->front().item, 4U);
}

TEST(HeapPage, ANewPageHasNone) {
  EXPECT_THAT(*heap_tuples(Bytes(kBlockSize)), IsEmpty());
  EXPECT_THAT(*heap_tuples(HeapPageBuilder().page()), IsEmpty());
}

TEST(HeapPage, ColumnsCountUpToTheFirstNull) {
  const auto columns = [](uint16_t count, uint8_t nulls) {
    const Bytes page = HeapPageBuilder()
                           .add({.flags = HeapTuple::kHasNull, .columns = count, .nulls = nulls})
                           .page();
    return heap_tuples(page)->front().columns;
  };
  EXPECT_EQ(columns(8, 0xFF), 8U);
  EXPECT_EQ(columns(3, 0xFF), 3U);
  EXPECT_EQ(columns(8, 0xF7), 3U);
  EXPECT_EQ(columns(8, 0xFE), 0U);
}

TEST(HeapPage, NothingLeadsOutOfThePage) {
  const auto pointer = [](uint32_t offset, uint32_t length) {
    return refusal(heap_tuples(HeapPageBuilder().add_pointer(offset, 1, length).page()));
  };
  EXPECT_THAT(pointer(8168, 32), HasSubstr("tuple 1 is said to have 32 bytes at 8168"));
  EXPECT_THAT(pointer(8000, 23), HasSubstr("shorter than its header"));
  EXPECT_THAT(pointer(24, 100), HasSubstr("100 bytes at 24")) << "that is where the pointers are";
  EXPECT_THAT(pointer(8001, 100), HasSubstr("100 bytes at 8001"));

  Bytes page = HeapPageBuilder().add({.data = {1}}).page();
  store_little(&page[12], uint16_t{8196});
  EXPECT_THAT(refusal(heap_tuples(page)), HasSubstr("line pointers end at 8196"));
  store_little(&page[12], uint16_t{27});
  EXPECT_THAT(refusal(heap_tuples(page)), HasSubstr("line pointers end at 27"));

  page = HeapPageBuilder().add({.data = {1}}).page();
  page[kBlockSize - 32 + 22] = 32;
  EXPECT_THAT(refusal(heap_tuples(page)), HasSubstr("has its columns at 32"));
  page[kBlockSize - 32 + 22] = 16;
  EXPECT_THAT(refusal(heap_tuples(page)), HasSubstr("has its columns at 16"));

  page = HeapPageBuilder().add({.flags = HeapTuple::kHasNull, .columns = 9, .nulls = 0xFF}).page();
  EXPECT_THAT(refusal(heap_tuples(page)), HasSubstr("no room for 9 columns"));
}

TEST(HeapPage, DamageIsRefusedOrHarmless) {
  const Bytes intact = HeapPageBuilder()
                           .add({.data = database_columns(5, "five")})
                           .add({.flags = HeapTuple::kHasNull, .data = database_columns(6, "six")})
                           .page();
  for (size_t i = 0; i < intact.size(); ++i) {
    if (i == 64) i = kBlockSize - 320;  // Nothing lies between the pointers and the tuples.
    for (const uint8_t flip : {0x01, 0x10, 0x80, 0xFF}) {
      Bytes damaged = intact;
      damaged[i] ^= flip;
      const auto tuples = heap_tuples(damaged);
      if (!tuples.ok()) continue;
      for (const HeapTuple& tuple : *tuples) {
        if (read_database_row(damaged, tuple).ok()) invalidate_database_row(damaged, tuple);
      }
    }
  }
}

}  // namespace
}  // namespace varve
