#include "storage_sync/repack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage_sync/remote_gc.h"
#include "storage_sync/test_support/committed_timeline.h"

namespace varve {
namespace {

using test_support::CommittedTimelineTest;
using test_support::kLog;
using test_support::layer_name;
using test_support::noise;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Key;
using testing::Not;

class RepackTest : public CommittedTimelineTest {
 protected:
  RepackTest() { server.context().options.repack_minimum = 1; }

  Result<RepackPlan> plan() {
    return find_repackable(server.context(), *kept_->get(), examined_, {});
  }
  Result<UploadResult> move(const RepackMoves& moves) {
    return upload_timeline(server.context(), {.writer = server.writer, .repack = moves}, *kept_, {},
                           {});
  }
  std::string object_of(uint8_t layer) const {
    const auto state = kept_->get();
    return std::ranges::find(state->manifest.layers, layer_name(layer), &LayerEntry::name)
        ->stored.object;
  }
  static std::string file_name(uint64_t sequence) {
    return ObjectName::archive(kLog, sequence).file_name();
  }

  ExaminedObjects examined_;
};

TEST_F(RepackTest, ALayerThatIsAloneAmongGarbageMovesAndTheObjectIsFreed) {
  commit({1, 2, 3});
  commit({3});
  const auto found = plan();
  VARVE_ASSERT_OK(found);
  EXPECT_THAT(found->moves, ElementsAre(testing::Pair(layer_name(3), file_name(1))));
  // The layer and its frame table.
  EXPECT_GE(found->bytes, 3000U);
  EXPECT_LT(found->bytes, 3200U);

  // Its bytes come from the storage, wherever the file is.
  std::filesystem::remove(server.layer_path(layer_name(3)));
  const auto moved = move(found->moves);
  VARVE_ASSERT_OK(moved);
  EXPECT_EQ(moved->outcome, UploadOutcome::kUploaded);
  EXPECT_EQ(object_of(3), file_name(3));
  expect_whole();
  // Readers of earlier commits have the grace period.
  EXPECT_THAT(keys(), Contains(archive(1)));
  clock.advance(std::chrono::hours(2));
  VARVE_EXPECT_OK(collect_remote_garbage(server.context(), *kept_, {}));
  EXPECT_THAT(keys(), Not(Contains(archive(1))));
  expect_whole();

  EXPECT_THAT(plan()->moves, IsEmpty());
}

TEST_F(RepackTest, WhatIsMostlyNeededStays) {
  commit({1, 2, 3});
  commit({2, 3});
  EXPECT_THAT(plan()->moves, IsEmpty());
  // It is not read again until it has lost something.
  const uint64_t reads = requests(Operation::kGet);
  EXPECT_THAT(plan()->moves, IsEmpty());
  EXPECT_EQ(requests(Operation::kGet), reads);
  commit({3});
  EXPECT_THAT(plan()->moves, ElementsAre(Key(layer_name(3))));
}

TEST_F(RepackTest, ALittleGarbageIsNotWorthARequest) {
  server.context().options.repack_minimum = 10'000;
  commit({1, 2, 3});
  commit({3});
  EXPECT_THAT(plan()->moves, IsEmpty());
}

TEST_F(RepackTest, LayersLeavePacksAndGoIntoPacks) {
  server.context().options.inline_limit = 64;
  server.context().options.part_size = 1000;
  commit({1, 2, 3, 4, 5});
  commit({2, 4});
  const std::string pack = object_of(2);
  VARVE_ASSERT_OK(move(plan()->moves));
  EXPECT_NE(object_of(2), pack);
  EXPECT_EQ(object_of(2), object_of(4));
  EXPECT_EQ(ObjectName::parse_file_name(kLog, object_of(2))->kind, ObjectKind::kPack);
  expect_whole();
}

TEST_F(RepackTest, OneCommitMovesABoundedNumberOfBytes) {
  server.context().options.repack_limit = 7000;
  commit({1, 2, 3, 4, 5, 6, 7, 8, 9});
  commit({2, 4, 6});
  EXPECT_EQ(plan()->moves.size(), 2U);
  VARVE_ASSERT_OK(move(plan()->moves));
  VARVE_ASSERT_OK(move(plan()->moves));
  EXPECT_THAT(plan()->moves, IsEmpty());
  for (const uint8_t layer : {2, 4, 6}) EXPECT_NE(object_of(layer), file_name(1));
  expect_whole();
}

TEST_F(RepackTest, DamageIsNotCopied) {
  commit({1, 2, 3});
  commit({3});
  const auto moves = plan()->moves;
  Bytes damaged = object(archive(1));
  const auto& table = kept_->get()->manifest.layers.front().stored;
  damaged[table.table_offset - 10] ^= 1;
  overwrite(archive(1), damaged);
  const auto moved = move(moves);
  ASSERT_TRUE(moved.failed_with(ErrorCode::kCorrupted));
  EXPECT_THAT(moved.error().message(), testing::HasSubstr(layer_name(3).to_string()));
  EXPECT_EQ(object_of(3), file_name(1));
}

TEST_F(RepackTest, AMoveOfWhichTheAcknowledgementWasLostIsNotMadeTwice) {
  commit({1, 2, 3});
  commit({3});
  const auto moves = plan()->moves;
  fail({{.operation = Operation::kPut, .fault = Fault::fail_after()}});
  EXPECT_FALSE(move(moves).ok());
  heal();
  VARVE_ASSERT_OK(move(moves));
  EXPECT_EQ(object_of(3), file_name(3));
  EXPECT_EQ(kept_->get()->head.sequence, 3U);
  expect_whole();
}

TEST_F(RepackTest, ALayerThatIsGoneOrElsewhereIsLeftAlone) {
  commit({1, 2, 3});
  commit({2, 3});
  const uint64_t puts = requests(Operation::kPut);
  const auto moved = move({{layer_name(1), file_name(1)}, {layer_name(3), file_name(2)}});
  VARVE_ASSERT_OK(moved);
  EXPECT_EQ(moved->outcome, UploadOutcome::kAlreadyRemote);
  EXPECT_EQ(requests(Operation::kPut), puts);
}

}  // namespace
}  // namespace varve
