#include "postgres/key_space.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace varve {
namespace {

constexpr RelationTag kRelation = {.directory = {1663, 5}, .relation = 16384};

RelationBlockKey block(RelationFork fork, uint32_t number) {
  return {.fork = {.relation = kRelation, .fork = fork}, .block = number};
}

// One key of each kind and then some, in the order they must have in storage.
std::vector<KeyFields> ordered_fields() {
  return {
      ControlFileKey{},
      CheckpointKey{},
      DataDirectoryKey{},
      TablespaceKey{16390},
      TablespaceKey{70000},
      DatabaseDirectoryKey{{1663, 1}},
      DatabaseDirectoryKey{{1663, 256}},
      DatabaseDirectoryKey{{16390, 5}},
      RelationMapKey{{1663, 5}},
      RelationMapKey{{1664, 0}},
      RelationSizeKey{{kRelation, RelationFork::kMain}},
      RelationSizeKey{{kRelation, RelationFork::kInit}},
      block(RelationFork::kMain, 0),
      block(RelationFork::kMain, 255),
      block(RelationFork::kMain, 256),
      block(RelationFork::kMain, 4294967294U),
      block(RelationFork::kFreeSpaceMap, 0),
      RelationBlockKey{{{{1664, 0}, 1262}, RelationFork::kMain}, 1},
      SlruSegmentSizeKey{Slru::kTransactionStatus, 0},
      SlruSegmentSizeKey{Slru::kCommitTimestamps, 0x12345},
      SlruBlockKey{Slru::kTransactionStatus, 31},
      SlruBlockKey{Slru::kTransactionStatus, 32},
      SlruBlockKey{Slru::kMultixactMembers, 0},
      TwoPhaseFileKey{725},
      AuxiliaryFileKey{0x0123456789ABCDEF, 0},
      AuxiliaryFileKey{0x0123456789ABCDEF, 1},
      TimeIndexKey{{-1}},
      TimeIndexKey{{0}},
      TimeIndexKey{{1'700'000'000'000'000}},
  };
}

Key key_of(const KeyFields& fields) {
  return std::visit([](const auto& typed) { return make_key(typed); }, fields);
}

TEST(KeySpace, KeysOrderLikeTheFactsTheyName) {
  const auto fields = ordered_fields();
  for (size_t i = 1; i < fields.size(); ++i) {
    EXPECT_LT(key_of(fields[i - 1]), key_of(fields[i])) << describe(key_of(fields[i]));
  }
}

TEST(KeySpace, EveryKeyReadsBack) {
  for (const KeyFields& fields : ordered_fields()) {
    const auto again = parse_key(key_of(fields));
    ASSERT_TRUE(again.ok()) << describe(key_of(fields));
    EXPECT_EQ(*again, fields) << describe(key_of(fields));
  }
}

TEST(KeySpace, AForeignKeyIsRefused) {
  EXPECT_TRUE(parse_key(Key::min()).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(parse_key(Key::max()).failed_with(ErrorCode::kCorrupted));
  Key stray = make_key(CheckpointKey{});
  stray.bytes[9] = 1;
  EXPECT_TRUE(parse_key(stray).failed_with(ErrorCode::kCorrupted));
  Key fork = make_key(block(RelationFork::kMain, 1));
  fork.bytes[13] = 4;
  EXPECT_TRUE(parse_key(fork).failed_with(ErrorCode::kCorrupted));
  Key slru = make_key(SlruBlockKey{Slru::kTransactionStatus, 1});
  slru.bytes[1] = 9;
  EXPECT_TRUE(parse_key(slru).failed_with(ErrorCode::kCorrupted));
  EXPECT_EQ(describe(slru), "unknown key " + slru.to_string());
}

TEST(KeySpace, KeysDescribeThemselves) {
  EXPECT_EQ(describe(make_key(block(RelationFork::kMain, 7))),
            "relation 1663/5/16384 main block 7");
  EXPECT_EQ(describe(make_key(RelationSizeKey{{kRelation, RelationFork::kVisibilityMap}})),
            "relation 1663/5/16384 vm size");
  EXPECT_EQ(describe(make_key(SlruSegmentSizeKey{Slru::kMultixactMembers, 10})),
            "pg_multixact/members/000A size");
  EXPECT_EQ(describe(make_key(SlruBlockKey{Slru::kTransactionStatus, 3})), "pg_xact page 3");
  EXPECT_EQ(describe(make_key(ControlFileKey{})), "control file");
  EXPECT_EQ(describe(make_key(TwoPhaseFileKey{725})), "two-phase file of transaction 725");
  EXPECT_EQ(describe(make_key(TimeIndexKey{{0}})), "time index 1970-01-01T00:00:00.000000Z");
}

TEST(KeySpace, RangesHoldWhatTheySayAndNothingElse) {
  const auto fields = ordered_fields();
  const auto count = [&fields](const KeyRange& range) {
    return std::ranges::count_if(
        fields, [&range](const KeyFields& each) { return range.contains(key_of(each)); });
  };
  EXPECT_EQ(count(range_of(KeyKind::kControlFile)), 1);
  EXPECT_EQ(count(range_of(KeyKind::kRelationBlock)), 6);
  EXPECT_EQ(count(range_of(KeyKind::kTimeIndex)), 3);
  EXPECT_EQ(count(relation_blocks_of(kRelation)), 5);
  EXPECT_EQ(count(relation_sizes_of(kRelation)), 2);
  EXPECT_EQ(count(relation_blocks_of(DatabaseTag{1664, 0})), 1);
  EXPECT_EQ(count(relation_sizes_of(DatabaseTag{1664, 0})), 0);
  EXPECT_EQ(count(slru_blocks_of(Slru::kTransactionStatus, 0)), 1);
  EXPECT_EQ(count(slru_blocks_of(Slru::kTransactionStatus, 1)), 1);
  EXPECT_TRUE(
      relation_blocks_of(kRelation).contains(make_key(block(RelationFork::kInit, UINT32_MAX))));
}

// Stored keys depend on these numbers for ever.
TEST(KeySpace, TheStoredFormIsFixed) {
  EXPECT_EQ(make_key(block(RelationFork::kVisibilityMap, 7)).to_string(),
            "080000067f00000005000040000200000007");
  EXPECT_EQ(make_key(SlruBlockKey{Slru::kCommitTimestamps, 258}).to_string(),
            "0a0400000000000000000000000000000102");
  EXPECT_EQ(make_key(AuxiliaryFileKey{auxiliary_path_hash("postgresql.conf"), 1}).to_string(),
            "0c12058af99233f251000000000000000001");
}

}  // namespace
}  // namespace varve
