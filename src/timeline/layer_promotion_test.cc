#include "timeline/layer_promotion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fs/directory.h"
#include "timeline/layer_eviction.h"
#include "timeline/test_support/manager_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

constexpr uint64_t kUnlimited = UINT64_MAX;

// --- the choice ---

PromotableLayer promotable(uint64_t lsn, uint64_t size, int64_t used, uint64_t fetched) {
  return {.timeline = {},
          .layer = {.name = LayerName::image(KeyRange::all(), Lsn{lsn}), .size = size},
          .read = {.used = {used}, .fetched = fetched}};
}

// The LSN of the one that is chosen; 0 for none.
uint64_t chosen(const std::vector<PromotableLayer>& layers, uint64_t room) {
  const auto choice = choose_promotion(layers, room);
  return choice ? choice->layer.name.lsn_start.value : 0;
}

TEST(ChoosePromotion, TakesTheOneThatWasUsedLastAndFits) {
  const std::vector<PromotableLayer> layers{promotable(1, 10, 100, 10), promotable(2, 30, 300, 30),
                                            promotable(3, 20, 200, 20)};
  EXPECT_EQ(chosen(layers, 1000), 2U);
  EXPECT_EQ(chosen(layers, 30), 2U);
  EXPECT_EQ(chosen(layers, 29), 3U);
  EXPECT_EQ(chosen(layers, 10), 1U);
  EXPECT_EQ(chosen(layers, 9), 0U);
  EXPECT_EQ(chosen({}, 1000), 0U);
}

TEST(ChoosePromotion, LeavesWhatWasHardlyReadRemote) {
  EXPECT_EQ(chosen({promotable(1, 10, 100, 4)}, 1000), 0U);
  EXPECT_EQ(chosen({promotable(1, 10, 100, 5)}, 1000), 1U);
  EXPECT_EQ(chosen({promotable(1, 10, 100, 5), promotable(2, 10, 200, 4)}, 1000), 1U);
  // What it fetched is unknown, and is lost in any case.
  auto warm = promotable(1, 10, 100, 0);
  warm.read.was_warm = true;
  EXPECT_EQ(chosen({warm}, 1000), 1U);
}

// --- with a storage ---

class LayerPromotionTest : public test_support::ManagerTest {
 protected:
  static constexpr int kManyKeys = 60;  // In four layers or so.

  void SetUp() override {
    start();
    const TenantId tenant = manager_->create_tenant({}, "acme")->id;
    TimelineDraft draft = manager_->start_timeline(tenant, Lsn{100}).value();
    for (int key = 0; key < kManyKeys; ++key) {
      VARVE_ASSERT_OK(draft.put_image(key_of(key), value_of(key, 1)));
    }
    VARVE_ASSERT_OK(draft.finish({.disk_consistent_lsn = Lsn{100}, .gc_cutoff_lsn = Lsn{100}}));
    id_ = manager_->commit_timeline(std::move(draft), "main", {})->id;
    all_ = files();
    bytes_ = local_bytes();
    ASSERT_GE(all_.size(), 3U);
  }

  // Of a new process.
  void start() {
    timelines_.reset();
    manager_.emplace(open(server).value());
    reads_ = std::make_shared<RemoteReads>(clock);
    timelines_.emplace(*manager_,
                       OpenTimelines::Options{.remote = &server.context(),
                                              .scratch_parent = server.directory() / "scratch",
                                              .remote_reads = reads_});
  }

  std::filesystem::path directory() { return manager_->store().timeline_directory(id_); }
  std::vector<std::string> files() {
    std::vector<std::string> names;
    const auto entries = list_directory(directory()).value();
    for (const DirectoryEntry& entry : entries) {
      if (entry.name.contains(".sst")) names.push_back(entry.name);
    }
    return names;
  }
  uint64_t local_bytes() { return find_local_layers(*timelines_).value().bytes; }
  std::shared_ptr<Timeline> timeline() { return timelines_->open(id_, {}).value(); }
  LayerEntry layer(size_t number) {
    return manager_->store().timeline(id_)->get()->manifest.layers.at(number);
  }

  void drop() { VARVE_ASSERT_OK(timelines_->drop_local_layers(id_, {})); }
  void read(int key) {
    EXPECT_EQ(as_text(timeline()->get(key_of(key), Lsn{100}).value()), as_text(value_of(key, 1)));
  }
  void read_all() {
    for (int key = 0; key < kManyKeys; ++key) {
      // One after the other, so that there is an order.
      clock.advance(std::chrono::milliseconds(1));
      read(key);
    }
  }
  // Until there is nothing left to do; how many.
  size_t promote(uint64_t low = kUnlimited) {
    for (size_t count = 0;; ++count) {
      const auto promoted = promote_layer(*timelines_, low, {});
      EXPECT_TRUE(promoted.ok()) << promoted.error().message();
      if (!promoted.ok() || !*promoted) return count;
    }
  }
  EvictionReport evict(uint64_t high, uint64_t low) {
    return evict_layers(*timelines_, {.high = high, .low = low}, {}).value();
  }

  std::optional<TenantManager> manager_;
  std::shared_ptr<RemoteReads> reads_;
  std::optional<OpenTimelines> timelines_;
  TenantTimelineId id_;
  std::vector<std::string> all_;
  uint64_t bytes_ = 0;
};

TEST_F(LayerPromotionTest, WhatIsReadBecomesLocalAndIsNotFetchedAgain) {
  drop();
  EXPECT_EQ(promote(), 0U);
  read_all();
  EXPECT_THAT(files(), IsEmpty());

  EXPECT_EQ(promote(), all_.size());
  EXPECT_EQ(files(), all_);
  EXPECT_THAT(list_directory(server.directory() / "scratch").value(), SizeIs(Le(1U)));
  const uint64_t before = all_requests();
  read_all();
  EXPECT_EQ(all_requests(), before);
  // Not from the partial copies.
  EXPECT_THAT(reads_->recent(), IsEmpty());
  EXPECT_EQ(promote(), 0U);
}

TEST_F(LayerPromotionTest, OnlyWhatWasReadComes) {
  drop();
  read(0);
  EXPECT_EQ(promote(), 1U);
  EXPECT_THAT(files(), ElementsAre(all_.front()));
}

TEST_F(LayerPromotionTest, WhatIsReadForARestoreComesAsWell) {
  drop();
  {
    const auto snapshot = timelines_->open_snapshot(id_, {}, {}, {}).value();
    VARVE_ASSERT_OK(snapshot.reader->scan(KeyRange::all(), snapshot.lsn,
                                          [](const Key&, ByteView) { return Result<>(); }));
  }
  EXPECT_EQ(promote(), all_.size());
  EXPECT_EQ(files(), all_);
}

TEST_F(LayerPromotionTest, ItStopsAtTheLowWatermarkWithWhatWasUsedLast) {
  drop();
  read_all();
  const uint64_t low = layer(all_.size() - 1).size + layer(all_.size() - 2).size;
  EXPECT_EQ(promote(low), 2U);
  EXPECT_THAT(files(), ElementsAre(all_[all_.size() - 2], all_.back()));
  EXPECT_LE(local_bytes(), low);
  // The others wait for room.
  EXPECT_EQ(find_promotable(*timelines_)->size(), all_.size() - 2);
  EXPECT_EQ(promote(bytes_), all_.size() - 2);
  EXPECT_EQ(local_bytes(), bytes_);
}

TEST_F(LayerPromotionTest, ACopyIsAsOldAsItsLastUse) {
  drop();
  read(0);
  const Timestamp used = clock.now();
  clock.advance(std::chrono::minutes(5));
  EXPECT_EQ(promote(), 1U);
  EXPECT_EQ(file_status(directory() / all_.front()).value()->modified, used);
}

TEST_F(LayerPromotionTest, EvictionAndPromotionComeToRest) {
  const uint64_t high = bytes_ - 1;
  const uint64_t low = bytes_ - layer(0).size;
  drop();
  read_all();
  promote(low);
  // Everything is read over and over, and there is room for all but one.
  std::set<std::vector<std::string>> seen;
  for (int round = 0; round < 5; ++round) {
    read_all();
    EXPECT_EQ(evict(high, low).freed.layers, 0U);
    EXPECT_EQ(promote(low), 0U);
    seen.insert(files());
  }
  EXPECT_THAT(seen, SizeIs(1));
  EXPECT_LE(local_bytes(), low);
}

TEST_F(LayerPromotionTest, WhatWasFreedComesBackOnlyOnceItIsReadAgain) {
  drop();
  read_all();
  EXPECT_EQ(promote(), all_.size());
  read_all();
  EXPECT_EQ(evict(1, 0).freed.layers, all_.size());
  EXPECT_EQ(promote(), 0U);
  EXPECT_THAT(files(), IsEmpty());
  read(0);
  EXPECT_EQ(promote(), 1U);
}

TEST_F(LayerPromotionTest, WhatIsDroppedByHandStaysAway) {
  drop();
  read_all();
  drop();
  EXPECT_EQ(promote(), 0U);
  EXPECT_THAT(files(), IsEmpty());
}

// Somebody waits for the layer that is just coming, and does not want it any more.
TEST_F(LayerPromotionTest, WhatIsDroppedWhileItIsComingStaysAway) {
  drop();
  read(0);
  bool dropped = false;
  storage.set_script([&](const FaultyCall& call) -> std::optional<Fault> {
    if (call.operation == Operation::kGet && !std::exchange(dropped, true)) reads_->forget(id_);
    return std::nullopt;
  });
  EXPECT_EQ(promote(), 0U);
  EXPECT_TRUE(dropped);
  EXPECT_THAT(files(), IsEmpty());
  heal();
  read(0);
}

TEST_F(LayerPromotionTest, WhatIsGoneByNowIsForgotten) {
  drop();
  reads_->add_warm(id_, LayerName::image(KeyRange::all(), Lsn{77}), {1});
  reads_->add_warm({id_.tenant, TimelineId{{9}}}, layer(0).name, {1});
  const uint64_t before = all_requests();
  EXPECT_EQ(promote(), 0U);
  EXPECT_EQ(all_requests(), before);
  EXPECT_THAT(reads_->recent(), IsEmpty());
}

TEST_F(LayerPromotionTest, AStorageThatDoesNotAnswerIsAskedAgainTheNextTime) {
  drop();
  read_all();
  storage.set_script([](const FaultyCall&) { return Fault::fail_before(); });
  EXPECT_TRUE(promote_layer(*timelines_, kUnlimited, {}).failed_with(ErrorCode::kUnavailable));
  EXPECT_THAT(files(), IsEmpty());
  heal();
  EXPECT_EQ(promote(), all_.size());
}

TEST_F(LayerPromotionTest, ALayerThatCannotBeHadDoesNotKeepTheOthersAway) {
  drop();
  for (size_t i = 0; i < all_.size(); ++i) reads_->add_warm(id_, layer(i).name, {100});
  bool refused = false;
  storage.set_script([&](const FaultyCall& call) -> std::optional<Fault> {
    if (call.operation != Operation::kGet || std::exchange(refused, true)) return std::nullopt;
    return Fault::fail_before(ErrorCode::kDenied);
  });
  EXPECT_EQ(promote(), all_.size() - 1);
  EXPECT_THAT(reads_->recent(), IsEmpty());
}

// A crash while the second one is coming: the next process goes on from the list.
TEST_F(LayerPromotionTest, ACrashLeavesWhatIsWholeAndTheListBringsTheRest) {
  drop();
  read_all();
  std::vector<PromotableLayer> list = find_promotable(*timelines_).value();
  ASSERT_TRUE(promote_layer(*timelines_, kUnlimited, {}).ok());
  storage.set_script([](const FaultyCall&) { return Fault::fail_before(); });
  EXPECT_FALSE(promote_layer(*timelines_, kUnlimited, {}).ok());
  heal();
  EXPECT_THAT(files(), ElementsAre(all_.back()));

  start();
  for (const PromotableLayer& each : list) {
    reads_->add_warm(each.timeline, each.layer.name, each.read.used);
  }
  EXPECT_EQ(promote(), all_.size() - 1);
  EXPECT_EQ(files(), all_);
  // Nobody has asked for the timeline.
  EXPECT_EQ(timelines_->find(id_), nullptr);
  const uint64_t before = all_requests();
  read_all();
  EXPECT_EQ(all_requests(), before);
}

TEST_F(LayerPromotionTest, WithoutABudgetNothingIsBroughtHere) {
  reads_.reset();
  timelines_.emplace(*manager_, OpenTimelines::Options{.remote = &server.context(),
                                                       .scratch_parent = server.directory()});
  drop();
  read_all();
  EXPECT_EQ(promote(), 0U);
  EXPECT_THAT(files(), IsEmpty());
}

}  // namespace
}  // namespace varve
