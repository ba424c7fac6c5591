#include "timeline/timeline_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "timeline/test_support/timeline_fixture.h"

namespace varve {
namespace {

using test_support::key_of;

class TimelineFeedTest : public test_support::TimelineTest {
 protected:
  void feed(TimelineFeed::Options options) {
    std::shared_ptr<Timeline> timeline(std::move(timeline_));
    shared_ = timeline;
    feed_ = std::make_unique<TimelineFeed>(kept_, std::move(timeline), system_clock(),
                                           system_random(), std::move(options));
  }
  Result<> ingest(uint64_t lsn, const std::string& value, const CallOptions& call = {}) {
    const Version version{key_of(1), Lsn{lsn}, ValueKind::kImage, as_bytes(value)};
    return feed_->ingest({.start = Lsn{lsn - 1}, .end = Lsn{lsn}}, {&version, 1}, call);
  }

  std::shared_ptr<Timeline> shared_;
  std::unique_ptr<TimelineFeed> feed_;
};

TEST_F(TimelineFeedTest, WhatIsIngestedIsInFilesAfterTheInterval) {
  std::promise<void> checkpointed;
  feed({.maintenance = {.checkpoint_interval = std::chrono::milliseconds(10),
                        .checkpointed = [&] { checkpointed.set_value(); }}});
  EXPECT_TRUE(shared_->is_fed());
  VARVE_ASSERT_OK(ingest(110, "new"));
  EXPECT_EQ(feed_->last_record_lsn(), Lsn{110});
  ASSERT_EQ(checkpointed.get_future().wait_for(std::chrono::minutes(1)), std::future_status::ready);
  EXPECT_EQ(shared_->disk_consistent_lsn(), Lsn{110});
  feed_.reset();
  EXPECT_FALSE(shared_->is_fed());
}

TEST_F(TimelineFeedTest, ItWaitsForUploadsOnceTooMuchIsNotRemote) {
  feed({.maintenance = {.checkpoint_interval = std::chrono::hours(1)}, .upload_lag_limit = 1});
  const CallOptions soon{.deadline = Deadline::after(std::chrono::milliseconds(100))};
  // What is there from the start.
  EXPECT_TRUE(ingest(110, "new", soon).failed_with(ErrorCode::kCancelled));
  std::future<Result<>> waiting =
      std::async(std::launch::async, [&] { return ingest(110, "new"); });
  VARVE_ASSERT_OK(kept_->change([](LocalManifest& state) -> Result<> {
    for (LayerEntry& layer : state.manifest.layers) layer.stored.object = "somewhere";
    return {};
  }));
  VARVE_EXPECT_OK(waiting.get());
  EXPECT_EQ(feed_->last_record_lsn(), Lsn{110});
}

// As the base backup of a running server is.
TEST_F(TimelineFeedTest, UntilItIsConsistentOnlyTheFeedReads) {
  VARVE_ASSERT_OK(kept_->change([](LocalManifest& state) -> Result<> {
    state.manifest.metadata.gc_cutoff_lsn = Lsn{200};
    return {};
  }));
  options_.compaction = {.merged_layers = 1, .layers_above_image = 1};
  open();
  feed({.maintenance = {.checkpoint_interval = std::chrono::hours(1)}});
  VARVE_ASSERT_OK(ingest(110, "new"));
  const auto early = shared_->get(key_of(1), Lsn{110});
  ASSERT_TRUE(early.failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(early.error().message(), testing::HasSubstr("cannot be read yet"));
  EXPECT_EQ(as_text(feed_->source().get(key_of(1), Lsn{110}).value()), "new");
  VARVE_EXPECT_OK(shared_->checkpoint());
  VARVE_EXPECT_OK(shared_->compact());
  EXPECT_EQ(as_text(feed_->source().get(key_of(1), Lsn{110}).value()), "new");

  VARVE_ASSERT_OK(ingest(200, "newer"));
  EXPECT_EQ(as_text(shared_->get(key_of(1), Lsn{200}).value()), "newer");
  EXPECT_TRUE(shared_->get(key_of(1), Lsn{110}).failed_with(ErrorCode::kNotFound));
  EXPECT_EQ(as_text(feed_->source().get(key_of(1), Lsn{110}).value()), "new");
  VARVE_EXPECT_OK(shared_->checkpoint());
  VARVE_EXPECT_OK(shared_->compact());
}

}  // namespace
}  // namespace varve
