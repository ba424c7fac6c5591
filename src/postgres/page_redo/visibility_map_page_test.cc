#include "postgres/page_redo/visibility_map_page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "postgres/page.h"
#include "postgres/page_redo/page_redo.h"
#include "postgres/test_support/decoded_golden.h"
#include "postgres/test_support/golden_slru.h"

namespace varve {
namespace {

using Page = std::array<uint8_t, kBlockSize>;

constexpr RelationTag kRelation{.directory = {.tablespace = 1663, .database = 5},
                                .relation = 16389};

Page page_that_begins_with(ByteView bytes) {
  Page page{};
  std::ranges::copy(bytes, page.begin());
  return page;
}

TEST(VisibilityMapPage, TruncationClearsWhatTheServerClears) {
  const Page before = page_that_begins_with(visibility_map_of_37_blocks());
  Page page = before;
  ASSERT_TRUE(
      redo_visibility_map_page(*DecodedGolden(truncate_to_11_blocks()), kRelation, 0, page).ok());
  const Page after = page_that_begins_with(visibility_map_of_11_blocks());
  EXPECT_TRUE(
      std::equal(page.begin() + kPageHeaderSize, page.end(), after.begin() + kPageHeaderSize));
  EXPECT_TRUE(std::equal(page.begin(), page.begin() + kPageHeaderSize, before.begin()));
}

TEST(VisibilityMapPage, EveryCutKeepsWhatIsBefore) {
  // Within a byte, between bytes, in the last byte, and on a later page.
  for (const uint32_t blocks : {1U, 2U, 3U, 4U, 5U, 32671U, 32672U + 6}) {
    Page page;
    page.fill(0xFF);
    redo_visibility_map_truncation(blocks, page);
    for (uint32_t block = 0; block < kHeapBlocksPerMapPage; ++block) {
      const uint32_t bits = page[kPageHeaderSize + block / 4] >> (block % 4 * 2) & 3U;
      ASSERT_EQ(bits, block < blocks % kHeapBlocksPerMapPage ? 3U : 0U)
          << "block " << block << " of " << blocks;
    }
  }
}

TEST(VisibilityMapPage, NewPageGetsTheHeaderOfAnEmptyOne) {
  Page page{};
  redo_visibility_map_truncation(11, page);
  // But for the LSN, the header is that of every page of the map.
  const Page other = page_that_begins_with(visibility_map_of_11_blocks());
  EXPECT_TRUE(std::equal(page.begin() + 8, page.begin() + kPageHeaderSize, other.begin() + 8));
  EXPECT_EQ(page_lsn(page), Lsn{});
  EXPECT_FALSE(page_is_new(page));
}

TEST(VisibilityMapPage, SizeAfterTruncation) {
  EXPECT_EQ(visibility_map_size_after_truncation(0), 0U);
  EXPECT_EQ(visibility_map_size_after_truncation(1), 1U);
  EXPECT_EQ(visibility_map_size_after_truncation(32672), 1U);
  EXPECT_EQ(visibility_map_size_after_truncation(32673), 2U);
  EXPECT_EQ(visibility_map_size_after_truncation(0xFFFFFFFF), 131458U);
}

TEST(VisibilityMapPage, PageToClear) {
  EXPECT_EQ(visibility_map_page_to_clear(0), std::nullopt);
  EXPECT_EQ(visibility_map_page_to_clear(1), 0U);
  EXPECT_EQ(visibility_map_page_to_clear(32671), 0U);
  EXPECT_EQ(visibility_map_page_to_clear(32672), std::nullopt);
  EXPECT_EQ(visibility_map_page_to_clear(32673), 1U);
}

TEST(VisibilityMapPage, RecordOfAnotherPageIsRefusedByName) {
  const Page before = page_that_begins_with(visibility_map_of_37_blocks());
  Page page = before;
  const DecodedGolden record(truncate_to_11_blocks());
  const Result<> other_block = redo_visibility_map_page(*record, kRelation, 1, page);
  ASSERT_TRUE(other_block.failed_with(ErrorCode::kCorrupted));
  EXPECT_EQ(other_block.error().message(),
            "the WAL record at 0/2086658 does not cut relation 1663/5/16389 vm in block 1");
  RelationTag other = kRelation;
  other.relation = 16390;
  EXPECT_TRUE(redo_visibility_map_page(*record, other, 0, page).failed_with(ErrorCode::kCorrupted));
  const DecodedGolden commit(transaction_ends()[0]);
  EXPECT_TRUE(
      redo_visibility_map_page(*commit, kRelation, 0, page).failed_with(ErrorCode::kCorrupted));
  EXPECT_EQ(page, before);
}

TEST(VisibilityMapPage, OnlyTruncationsAreTruncations) {
  EXPECT_TRUE(is_relation_truncation(DecodedGolden(truncate_to_11_blocks())->header()));
  EXPECT_FALSE(is_relation_truncation(WalRecordHeader::load(relation_created_record().bytes)));
  // Of another resource manager, with the same type.
  EXPECT_FALSE(is_relation_truncation(WalRecordHeader::load(transaction_ends()[1].bytes)));
}

}  // namespace
}  // namespace varve
