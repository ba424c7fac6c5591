#include "storage_sync/frame_fetcher.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "storage_sync/frame_plan.h"
#include "storage_sync/layer_on_demand.h"
#include "storage_sync/test_support/framed_layer.h"

namespace varve {
namespace {

using std::chrono::hours;
using test_support::FramedLayerTest;
using testing::ElementsAre;
using testing::HasSubstr;

class FramePlan : public testing::Test {
 protected:
  // Ten frames of 100 stored bytes, one behind the other.
  FrameTable table_ = [] {
    FrameTable table;
    for (uint64_t i = 0; i < 10; ++i) table.push_back({.offset = 32 + 100 * i, .stored_size = 100});
    return table;
  }();
  std::vector<FrameRange> plan(std::vector<size_t> wanted, uint64_t read_through) {
    return plan_requests(table_, wanted, read_through);
  }
};

TEST_F(FramePlan, B2_NeighboursComeWithOneRequest) {
  EXPECT_THAT(plan({2, 3, 4}, 0), ElementsAre(FrameRange{2, 5}));
  EXPECT_THAT(plan({}, 0), ElementsAre());
}

TEST_F(FramePlan, B2_AGapIsReadThroughUpToTheLimit) {
  EXPECT_THAT(plan({1, 3, 6}, 100), ElementsAre(FrameRange{1, 4}, FrameRange{6, 7}));
  EXPECT_THAT(plan({1, 3, 6}, 99),
              ElementsAre(FrameRange{1, 2}, FrameRange{3, 4}, FrameRange{6, 7}));
  EXPECT_THAT(plan({1, 3, 6}, 200), ElementsAre(FrameRange{1, 7}));
}

TEST_F(FramePlan, FramesThatDoNotLieInTheirOrderComeSeparately) {
  std::swap(table_[4].offset, table_[5].offset);
  EXPECT_THAT(plan({3, 4, 5, 6}, 1000), ElementsAre(FrameRange{3, 5}, FrameRange{5, 7}));
}

class Fetcher : public FramedLayerTest {
 protected:
  void SetUp() override {
    FramedLayerTest::SetUp();
    file_ = PartialLayerFile::scratch(layer_, directory_.path()).value();
    start_anew();
  }
  void start_anew() { fetcher_.emplace(server_.context(), *file_, options()); }
  FrameFetcher::Options options() const {
    return {.log = test_support::kLog, .layer = layer_, .call = call_, .counters = counters_};
  }
  // So that what follows does not begin with the frame table.
  void fetch_tail() {
    VARVE_ASSERT_OK(fetcher_->fetch(FrameRange{kFrames - 1, kFrames}, {}));
    ASSERT_EQ(gets(), 1U);
  }
  Result<> fetch(std::vector<size_t> frames, const CallOptions& options = {}) {
    return fetcher_->fetch(frames, {}, options);
  }
  std::vector<size_t> present() const {
    std::vector<size_t> frames;
    for (size_t i = 0; i < kFrames; ++i) {
      if (file_->has(i)) frames.push_back(i);
    }
    return frames;
  }
  // Until a request has begun to wait.
  void wait_for_delayed_request() { clock_.wait_for_sleeper(clock_.boot_time() + hours(1)); }

  CallOptions call_;
  std::shared_ptr<FetchCounters> counters_ = std::make_shared<FetchCounters>();
  std::unique_ptr<PartialLayerFile> file_;
  std::optional<FrameFetcher> fetcher_;
};

TEST_F(Fetcher, S19_TheTailBringsTheFrameTableAndTheLastFrames) {
  fetch_tail();
  EXPECT_THAT(present(), ElementsAre(kFrames - 1));
  expect_frame(*file_, kFrames - 1);
  EXPECT_LT(received(), 700U << 10);
}

TEST_F(Fetcher, S19_OnlyWhatIsAskedForIsFetched) {
  fetch_tail();
  VARVE_ASSERT_OK(fetch({3}));
  EXPECT_THAT(present(), ElementsAre(3, kFrames - 1));
  expect_frame(*file_, 3);
  EXPECT_EQ(gets(), 2U);
  VARVE_ASSERT_OK(fetch({3}));
  EXPECT_EQ(gets(), 2U);
  EXPECT_EQ(counters_->layers, 1U);
  EXPECT_EQ(counters_->bytes, kFrameSize + kFrameSize / 2);
}

TEST_F(Fetcher, AllOfALayerIsTwoRequests) {
  fetcher_->start({0, kFrames});
  VARVE_ASSERT_OK(fetch({0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(gets(), 2U);
  for (size_t i = 0; i < kFrames; ++i) expect_frame(*file_, i);
}

TEST_F(Fetcher, S19_WhatIsWantedAheadComesWithTheSameRequestAndIsNotWaitedFor) {
  fetch_tail();
  const std::vector<size_t> wanted{2};
  VARVE_ASSERT_OK(fetcher_->fetch(wanted, {3, 5}, {}));
  EXPECT_TRUE(file_->has(2));
  VARVE_ASSERT_OK(fetch({2, 3, 4}));
  EXPECT_EQ(gets(), 2U);
}

TEST_F(Fetcher, B2_WhatIsReadThroughIsKept) {
  fetch_tail();
  server_.context().options.read_through = kFrameSize;
  VARVE_ASSERT_OK(fetch({1, 3}));
  EXPECT_EQ(gets(), 2U);
  EXPECT_THAT(present(), ElementsAre(1, 2, 3, 7));
  expect_frame(*file_, 2);
  // And what was there already stays as it is.
  VARVE_ASSERT_OK(fetch({0, 4}));
  EXPECT_EQ(gets(), 4U);
}

TEST_F(Fetcher, B2_FramesThatLieFarApartComeWithARequestEach) {
  fetch_tail();
  VARVE_ASSERT_OK(fetch({0, 3, 5}));
  EXPECT_EQ(gets(), 4U);
  EXPECT_THAT(present(), ElementsAre(0, 3, 5, 7));
}

TEST_F(Fetcher, B2_ManyThreadsThatWantAFrameCauseOneRequest) {
  fetch_tail();
  script({{.operation = Operation::kGet, .fault = Fault::delay_by(hours(1)), .times = 100}});
  {
    std::latch ready(8);
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        ready.arrive_and_wait();
        VARVE_EXPECT_OK(fetch({2, 3}));
      });
    }
    wait_for_delayed_request();
    clock_.advance(hours(1));
  }
  EXPECT_EQ(gets(), 2U);
}

TEST_F(Fetcher, B2_AWaiterThatStopsDoesNotDisturbTheOthers) {
  fetch_tail();
  std::atomic<int> asked = 0;
  storage_.set_script([&](const FaultyCall&) -> std::optional<Fault> {
    if (++asked > 1) return std::nullopt;
    return Fault::delay_by(hours(1));
  });
  std::jthread patient([&] { VARVE_EXPECT_OK(fetch({2})); });
  wait_for_delayed_request();
  const CallOptions soon{.deadline = Deadline::after(std::chrono::milliseconds(20))};
  EXPECT_TRUE(fetch({2}, soon).failed_with(ErrorCode::kCancelled));
  clock_.advance(hours(1));
  patient.join();
  EXPECT_EQ(asked, 1);
}

TEST_F(Fetcher, W2_ARequestThatNobodyWaitsForAnyMoreIsStopped) {
  fetch_tail();
  script({{.operation = Operation::kGet, .fault = Fault::delay_by(hours(1))}});
  std::stop_source stop;
  std::jthread waiter([&] {
    EXPECT_TRUE(fetch({2}, {.stop = stop.get_token()}).failed_with(ErrorCode::kCancelled));
  });
  wait_for_delayed_request();
  stop.request_stop();
  waiter.join();
  // It does not have to pass: the clock stands still.
  VARVE_EXPECT_OK(fetch({2}));
}

TEST_F(Fetcher, W2_ADeadlineOfTheWaiterIsKept) {
  fetch_tail();
  script({{.operation = Operation::kGet, .fault = Fault::delay_by(hours(1))}});
  const CallOptions passed{.deadline = Deadline::after(-std::chrono::seconds(1))};
  EXPECT_TRUE(fetch({2}, passed).failed_with(ErrorCode::kCancelled));
  const CallOptions soon{.deadline = Deadline::after(std::chrono::milliseconds(1))};
  EXPECT_TRUE(fetch({2}, soon).failed_with(ErrorCode::kCancelled));
}

TEST_F(Fetcher, W2_AStopOfTheWholeEndsWaiterAndRequest) {
  std::stop_source stop;
  call_.stop = stop.get_token();
  start_anew();
  fetch_tail();
  script({{.operation = Operation::kGet, .fault = Fault::delay_by(hours(1)), .times = 100}});
  std::jthread waiter([&] { EXPECT_TRUE(fetch({2}).failed_with(ErrorCode::kCancelled)); });
  wait_for_delayed_request();
  stop.request_stop();
}

TEST_F(Fetcher, W2_ItsEndStopsWhatIsFetchedAhead) {
  fetch_tail();
  script({{.operation = Operation::kGet, .fault = Fault::delay_by(hours(1)), .times = 100}});
  fetcher_->start({0, 3});
  fetcher_->start({4, 6});
  wait_for_delayed_request();
  fetcher_.reset();
  EXPECT_THAT(present(), ElementsAre(7));
}

TEST_F(Fetcher, B2_AFailureIsToldToThoseWhoWaitAndTheNextOneTriesAfresh) {
  script({{.operation = Operation::kGet, .fault = Fault::fail_before(), .times = 1}});
  EXPECT_TRUE(fetch({2}).failed_with(ErrorCode::kUnavailable));
  fetch_tail();
  script({{.operation = Operation::kGet, .fault = Fault::fail_before(ErrorCode::kDenied)}});
  EXPECT_TRUE(fetch({2}).failed_with(ErrorCode::kDenied));
  VARVE_EXPECT_OK(fetch({2}));
  expect_frame(*file_, 2);
}

TEST_F(Fetcher, AFailureOfWhatIsFetchedAheadShowsOnlyWhereItIsNeeded) {
  fetch_tail();
  script({{.operation = Operation::kGet, .fault = Fault::fail_before()}});
  fetcher_->start({0, kFrames});
  auto first = fetch({0});
  if (!first.ok()) first = fetch({0});
  VARVE_EXPECT_OK(first);
}

TEST_F(Fetcher, S18_WhatCameBeforeAStreamBrokeOffIsKept) {
  fetch_tail();
  script({{.operation = Operation::kGet, .fault = Fault::tear_stream(3 * kFrameSize + 5)}});
  EXPECT_TRUE(fetch({1, 2, 3, 4, 5}).failed_with(ErrorCode::kUnavailable));
  EXPECT_THAT(present(), ElementsAre(1, 2, 3, 7));
  const uint64_t before = received();
  VARVE_EXPECT_OK(fetch({1, 2, 3, 4, 5}));
  EXPECT_EQ(received() - before, 2 * kFrameSize);
}

TEST_F(Fetcher, ADamagedFrameIsCorruptedAndNamesObjectAndMember) {
  fetch_tail();
  script({{.operation = Operation::kGet, .fault = Fault::flip_byte(100)}});
  const auto fetched = fetch({2});
  ASSERT_TRUE(fetched.failed_with(ErrorCode::kCorrupted));
  EXPECT_THAT(fetched.error().message(), HasSubstr(layer_.stored.object));
  EXPECT_THAT(fetched.error().message(), HasSubstr(layer_.name.to_string()));
  EXPECT_FALSE(file_->has(2));
}

TEST_F(Fetcher, ADamagedFrameTableIsCorrupted) {
  script({{.operation = Operation::kGet, .fault = Fault::flip_byte(640 << 10)}});
  EXPECT_TRUE(fetch({7}).failed_with(ErrorCode::kCorrupted));
}

TEST_F(Fetcher, AHeaderOfAnotherKindIsCorrupted) {
  fetch_tail();
  script({{.operation = Operation::kGet, .fault = Fault::flip_byte(10)}});
  EXPECT_TRUE(fetch({0}).failed_with(ErrorCode::kCorrupted));
}

class OnDemand : public FramedLayerTest {
 protected:
  void SetUp() override {
    FramedLayerTest::SetUp();
    layer_on_demand_ = LayerOnDemand::open(server_.context(), directory_.path(), FrameForm::kRaw,
                                           {.log = test_support::kLog, .layer = layer_})
                           .value();
  }
  void expect_read(uint64_t offset, size_t size) {
    Bytes read(size);
    VARVE_ASSERT_OK(layer_on_demand_->read_at(offset, read));
    EXPECT_EQ(as_text(read), as_text(ByteView(content_).subspan(offset, size)));
  }

  std::shared_ptr<LayerOnDemand> layer_on_demand_;
};

TEST_F(OnDemand, S19_ReadingHereAndThereFetchesTheFramesThatAreTouched) {
  expect_read(kLayerSize - 100, 100);
  expect_read(5 * kFrameSize - 10, 20);
  expect_read(kFrameSize, 10);
  EXPECT_EQ(gets(), 3U);
  EXPECT_EQ(layer_on_demand_->present_bytes(), 3 * kFrameSize + kFrameSize / 2);
}

TEST_F(OnDemand, S19_ReadingOnAndOnFetchesAheadWithFewRequests) {
  for (uint64_t at = 0; at < kLayerSize; at += 64 << 10) expect_read(at, 64 << 10);
  // One for tail and table, then ever larger ones.
  EXPECT_LE(gets(), 5U);
}

TEST_F(OnDemand, FetchedAheadAsAWholeItIsTwoRequests) {
  layer_on_demand_->fetch_ahead();
  expect_read(kLayerSize - 600'000, 600'000);
  for (uint64_t at = 0; at < kLayerSize; at += 64 << 10) expect_read(at, 64 << 10);
  EXPECT_EQ(gets(), 2U);
}

TEST_F(OnDemand, ReadersOfManyThreadsGetWhatTheyAskedFor) {
  std::vector<std::jthread> threads;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      SeededRandom random(seed);
      for (int i = 0; i < 50; ++i) expect_read(random.next() % (kLayerSize - 9000), 9000);
    });
  }
}

}  // namespace
}  // namespace varve
