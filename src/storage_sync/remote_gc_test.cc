#include "storage_sync/remote_gc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage_sync/test_support/committed_timeline.h"

namespace varve {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using test_support::CommittedTimelineTest;
using test_support::kLog;
using test_support::noise;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

class RemoteGcTest : public CommittedTimelineTest {
 protected:
  Result<CollectedGarbage> collect() {
    return collect_remote_garbage(server.context(), *kept_, {});
  }
};

TEST_F(RemoteGcTest, WhatWasSupersededGoesWhenTheGracePeriodIsOver) {
  commit({1});
  clock.advance(hours(5));
  commit({2});
  // It is old, but was needed until now.
  EXPECT_EQ(collect()->objects, 0U);
  clock.advance(minutes(60));
  EXPECT_EQ(collect()->objects, 0U);
  clock.advance(minutes(1));
  const auto collected = collect();
  VARVE_ASSERT_OK(collected);
  EXPECT_EQ(collected->objects, 1U);
  EXPECT_GT(collected->bytes, 3000U);
  EXPECT_THAT(keys(), ElementsAre(archive(2)));
  EXPECT_THAT(kept_->get()->manifest.retired, IsEmpty());
  expect_whole();
  // The log goes on.
  commit({2, 3});
  expect_whole();
}

TEST_F(RemoteGcTest, WhatHoldsAnythingThatIsNeededStays) {
  commit({1});
  commit({1, 2});
  commit({2});
  commit({2});
  clock.advance(hours(2));
  VARVE_EXPECT_OK(collect());
  // Number 2 holds a layer.
  EXPECT_THAT(keys(), Contains(archive(2)));
  EXPECT_THAT(keys(), Contains(archive(4)));
  EXPECT_THAT(keys(), Not(Contains(archive(3))));
  expect_whole();
}

TEST_F(RemoteGcTest, OfPacksThoseThatNothingRefersToGo) {
  server.context().options = {.inline_limit = 64, .part_size = 1000};
  commit({1});
  const auto before = keys();
  ASSERT_EQ(before.size(), 2U);
  SeededRandom random(7);
  const auto orphan = ObjectName::pack(kLog, random.next_id<Nonce>(), 0).key();
  VARVE_ASSERT_OK(storage.put(orphan, noise(100, 1), PutCondition::kNone, {}));
  clock.advance(minutes(59));
  EXPECT_EQ(collect()->objects, 0U);
  clock.advance(minutes(2));
  EXPECT_EQ(collect()->objects, 1U);
  EXPECT_EQ(keys(), before);
  expect_whole();
  // Those of a layer that is gone, too.
  commit({2});
  clock.advance(hours(2));
  EXPECT_EQ(collect()->objects, 2U);
  expect_whole();
}

TEST_F(RemoteGcTest, NothingIsDeletedFromALogThatHasGoneOnWithoutUs) {
  commit({1});
  commit({2});
  clock.advance(hours(2));
  const auto before = keys();
  overwrite(archive(3), object(archive(2)));
  EXPECT_TRUE(collect().failed_with(ErrorCode::kConflict));
  ASSERT_TRUE(storage.remove({archive(3), archive(2)}, {}).ok());
  EXPECT_TRUE(collect().failed_with(ErrorCode::kCorrupted));
  EXPECT_THAT(keys(), ElementsAre(archive(1)));
}

TEST_F(RemoteGcTest, WhatCouldNotBeDeletedIsTriedAgain) {
  commit({1});
  commit({2});
  clock.advance(hours(2));
  fail({{.operation = Operation::kDelete, .fault = Fault::fail_after()}});
  EXPECT_FALSE(collect().ok());
  heal();
  // It was deleted all the same; that is found out by the next.
  const auto again = collect();
  VARVE_ASSERT_OK(again);
  EXPECT_EQ(again->objects, 0U);
  EXPECT_THAT(kept_->get()->manifest.retired, IsEmpty());
  expect_whole();
}

TEST_F(RemoteGcTest, AgesAreThoseOfTheStorage) {
  commit({1});
  commit({2});
  clock.advance(hours(2));
  RemoteListing listing = list_remote(storage, kLog.prefix(), {}).value();
  EXPECT_EQ(find_collectable(*kept_->get(), kLog, listing, hours(1))->size(), 1U);
  // A storage whose clock stands at the time of the commit.
  listing.storage_time = listing.find(kLog)->archives.back().last_modified;
  EXPECT_THAT(*find_collectable(*kept_->get(), kLog, listing, hours(1)), IsEmpty());
}

}  // namespace
}  // namespace varve
