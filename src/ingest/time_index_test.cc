#include "ingest/time_index.h"

#include <gtest/gtest.h>

#include "ingest/test_support/memory_versions.h"

namespace varve {
namespace {

constexpr int64_t kHour = 3'600'000'000;

class TimeIndexTest : public testing::Test {
 protected:
  void add(int64_t micros, uint64_t lsn) {
    ASSERT_TRUE(versions_.put_image(time_index_key({micros}), time_index_value(Lsn{lsn})).ok());
  }
  std::optional<TimedLsn> find(int64_t micros) {
    return find_lsn_at(versions_, {micros}, Lsn{1}).value();
  }

  MemoryVersions versions_;
};

TEST_F(TimeIndexTest, TheLastEntryAtOrBeforeATimeIsFoundHoweverFarBack) {
  EXPECT_EQ(find(INT64_MAX), std::nullopt);
  add(-5, 10);
  add(1000, 20);
  add(1001, 30);
  add(1'000'000 * kHour, 40);
  EXPECT_EQ(find(-6), std::nullopt);
  EXPECT_EQ(find(-5), (TimedLsn{{-5}, Lsn{10}}));
  EXPECT_EQ(find(999), (TimedLsn{{-5}, Lsn{10}}));
  EXPECT_EQ(find(1000), (TimedLsn{{1000}, Lsn{20}}));
  for (const int64_t later : {int64_t{1}, kHour, 1000 * kHour, 999'999 * kHour}) {
    EXPECT_EQ(find(1001 + later), (TimedLsn{{1001}, Lsn{30}})) << later;
  }
  EXPECT_EQ(find(INT64_MAX), (TimedLsn{{1'000'000 * kHour}, Lsn{40}}));
}

TEST_F(TimeIndexTest, WhatIsNoEntryIsNamed) {
  ASSERT_TRUE(versions_.put_image(time_index_key({7}), as_bytes("short")).ok());
  EXPECT_TRUE(find_lsn_at(versions_, {7}, Lsn{1}).failed_with(ErrorCode::kCorrupted));
}

}  // namespace
}  // namespace varve
