#include "ingest/wal/slru_segments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Slru kSlru = Slru::kTransactionStatus;
constexpr uint32_t kPerPage = 32768;

TEST(SlruSegments, GrowByPagesAndAreThereOnce) {
  SlruSegments segments;
  EXPECT_FALSE(segments.has_page(kSlru, 33));
  EXPECT_EQ(segments.extend_to(kSlru, 33), 2U);
  EXPECT_TRUE(segments.has_page(kSlru, 32));
  EXPECT_TRUE(segments.has_page(kSlru, 33));
  EXPECT_FALSE(segments.has_page(kSlru, 34));
  EXPECT_FALSE(segments.has_page(kSlru, 1));
  EXPECT_FALSE(segments.has_page(Slru::kMultixactOffsets, 33));
  EXPECT_EQ(segments.extend_to(kSlru, 32), std::nullopt);
}

TEST(SlruSegments, OnlyThoseThatLieWhollyBeforeGo) {
  SlruSegments segments;
  for (uint32_t page = 0; page < 100; ++page) segments.extend_to(kSlru, page);
  EXPECT_THAT(segments.truncate_before(kSlru, 31, kPerPage), IsEmpty());
  EXPECT_THAT(segments.truncate_before(kSlru, 63, kPerPage), ElementsAre(0));
  EXPECT_THAT(segments.truncate_before(kSlru, 64, kPerPage), ElementsAre(1));
  EXPECT_TRUE(segments.has_page(kSlru, 64));
  EXPECT_FALSE(segments.has_page(kSlru, 63));
}

TEST(SlruSegments, WhatWasWrittenAfterTheNumbersWrappedIsNotBefore) {
  SlruSegments segments;
  constexpr uint32_t kLastPage = UINT32_MAX / kPerPage;
  segments.extend_to(kSlru, kLastPage - 32);
  segments.extend_to(kSlru, kLastPage);
  segments.extend_to(kSlru, 0);
  EXPECT_THAT(segments.truncate_before(kSlru, kLastPage, kPerPage),
              ElementsAre((kLastPage - 32) / kSlruPagesPerSegment));
  EXPECT_TRUE(segments.has_page(kSlru, 0));
  EXPECT_TRUE(segments.has_page(kSlru, kLastPage));
}

}  // namespace
}  // namespace varve
