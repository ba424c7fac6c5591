#include "ingest/wal/wal_ingester.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "ingest/test_support/memory_versions.h"
#include "postgres/stored_record.h"
#include "postgres/stored_values.h"
#include "postgres/test_support/golden_files.h"
#include "postgres/test_support/wal_writer.h"

namespace varve {
namespace {

using testing::HasSubstr;

constexpr RelationForkTag kMain{
    .relation = {.directory = {.tablespace = kDefaultTablespace, .database = 5}, .relation = 16384},
    .fork = RelationFork::kMain};

// Keeps what it is given, images as they are read.
class Target : public WalTarget {
 public:
  Result<> ingest(Lsn start, Lsn end, std::span<const Version> versions) override {
    EXPECT_LT(start, end);
    last = end;
    for (const Version& version : versions) {
      EXPECT_LE(version.lsn, end);
      kinds[{version.key, version.lsn}] = version.kind;
      values[{version.key, version.lsn}] = {version.value.begin(), version.value.end()};
      if (version.kind == ValueKind::kTombstone) stored.erase_key(version.key);
      if (version.kind == ValueKind::kImage) stored.set(version.key, version.value);
    }
    return {};
  }
  VersionSource& source() override { return stored; }

  struct Stored : MemoryVersions {
    void set(const Key& key, ByteView value) {
      std::visit([&](const auto& fields) { (*this)[fields] = {value.begin(), value.end()}; },
                 parse_key(key).value());
    }
    void erase_key(const Key& key) {
      std::visit([&](const auto& fields) { erase(fields); }, parse_key(key).value());
    }
  };
  Stored stored;
  std::map<std::pair<Key, Lsn>, ValueKind> kinds;
  Lsn last;
  std::map<std::pair<Key, Lsn>, Bytes> values;
};

class WalIngesterTest : public testing::Test {
 protected:
  WalIngesterTest() {
    const ControlFile control = ControlFile::parse(stopped_control_file()).value();
    target_.stored[ControlFileKey{}] = {control.data().begin(), control.data().end()};
    target_.stored[CheckpointKey{}] = {control.checkpoint_bytes().begin(),
                                       control.checkpoint_bytes().end()};
  }

  WalIngester open(WalIngesterOptions options = {}) {
    return WalIngester::open(target_, writer_.position(), options).value();
  }
  void set_size(const RelationForkTag& fork, uint32_t blocks) {
    const auto value = encode_block_count(blocks);
    target_.stored[RelationSizeKey{fork}] = {value.begin(), value.end()};
  }
  uint32_t size_of(const RelationForkTag& fork) {
    return decode_block_count(target_.stored[RelationSizeKey{fork}]).value();
  }
  std::optional<ValueKind> kind_of(uint32_t block, Lsn lsn) {
    const auto found = target_.kinds.find({make_key(RelationBlockKey{kMain, block}), lsn});
    return found == target_.kinds.end() ? std::nullopt : std::optional(found->second);
  }

  // What stands under a block of kMain.
  StoredRecord stored(uint32_t block, Lsn lsn) {
    return StoredRecord::parse(target_.values[{make_key(RelationBlockKey{kMain, block}), lsn}])
        .value();
  }
  void set_control_file(const ControlFile& control) {
    target_.stored[ControlFileKey{}] = {control.data().begin(), control.data().end()};
  }
  // XLOG_PARAMETER_CHANGE.
  WalRecord set_wal_log_hints(bool on) {
    ByteWriter data;
    for (const uint32_t value : {100, 8, 10, 0, 64, 1}) data.put(value);
    data.put(static_cast<uint8_t>(on ? 1 : 0));
    data.put_zeros(3);
    return placed(
        writer_.add({.resource_manager = 0, .info = 0x60}, WalWriter::main_data(data.view())));
  }

  // A change of blocks 1, with its image, and 2.
  WalRecord change_with_image(uint8_t resource_manager) {
    ByteWriter parts;
    for (const uint32_t block : {1, 2}) {
      parts.put(static_cast<uint8_t>(block));
      parts.put(static_cast<uint8_t>(block == 1 ? 0x10 : 0x80));
      parts.put(uint16_t{0});
      if (block == 1) {
        parts.put(static_cast<uint16_t>(kBlockSize));
        parts.put(uint16_t{0});
        parts.put(uint8_t{0x02});
        parts.put(kMain.relation.directory.tablespace);
        parts.put(kMain.relation.directory.database);
        parts.put(kMain.relation.relation);
      }
      parts.put(block);
    }
    parts.put_zeros(kBlockSize);
    return placed(writer_.add({.resource_manager = resource_manager, .info = 0x70}, parts.view()));
  }

  // A change of heap blocks in place.
  WalRecord change_blocks(std::initializer_list<uint32_t> blocks, bool makes_them_anew = false) {
    constexpr uint8_t kWillInit = 0x40;
    ByteWriter parts;
    uint8_t number = 0;
    for (const uint32_t block : blocks) {
      parts.put(number++);
      parts.put(static_cast<uint8_t>(makes_them_anew ? kWillInit : 0));
      parts.put(uint16_t{0});
      parts.put(kMain.relation.directory.tablespace);
      parts.put(kMain.relation.directory.database);
      parts.put(kMain.relation.relation);
      parts.put(block);
    }
    parts.put(uint8_t{255});
    parts.put(uint8_t{2});
    parts.put(uint16_t{1});
    return placed(writer_.add({}, parts.view()));
  }
  WalRecord change_block(uint32_t block, bool makes_it_anew = false) {
    return change_blocks({block}, makes_it_anew);
  }
  // SMGR_TRUNCATE of all forks.
  WalRecord truncate(uint32_t blocks) {
    ByteWriter data;
    data.put(blocks);
    data.put(kMain.relation.directory.tablespace);
    data.put(kMain.relation.directory.database);
    data.put(kMain.relation.relation);
    data.put(uint32_t{7});
    return placed(
        writer_.add({.resource_manager = 2, .info = 0x20}, WalWriter::main_data(data.view())));
  }
  static WalRecord placed(const WalWriter::Placed& record) {
    return {.start = record.start, .end = record.end, .bytes = record.bytes};
  }

  Target target_;
  WalWriter writer_;
};

TEST_F(WalIngesterTest, ABlockGetsTheRecordAndOneThatIsMadeAnewNeedsNothingOlder) {
  set_size(kMain, 3);
  auto ingester = open();
  const WalRecord change = change_block(2);
  ASSERT_TRUE(ingester.ingest(change).ok());
  const WalRecord anew = change_block(2, true);
  ASSERT_TRUE(ingester.ingest(anew).ok());
  // Nothing shows before.
  EXPECT_TRUE(target_.kinds.empty());
  ASSERT_TRUE(ingester.flush().ok());
  EXPECT_EQ(kind_of(2, change.end), ValueKind::kRecord);
  EXPECT_EQ(kind_of(2, anew.end), ValueKind::kFirstRecord);
  EXPECT_EQ(size_of(kMain), 3U);
}

TEST_F(WalIngesterTest, ABlockDoesNotKeepTheImagesOfOthersUnlessRedoInsistsOnThem) {
  constexpr uint8_t kHeap = 10;
  constexpr uint8_t kGin = 13;
  set_size(kMain, 3);
  auto ingester = open();
  const WalRecord heap = change_with_image(kHeap);
  ASSERT_TRUE(ingester.ingest(heap).ok());
  const WalRecord gin = change_with_image(kGin);
  ASSERT_TRUE(ingester.ingest(gin).ok());
  ASSERT_TRUE(ingester.flush().ok());
  EXPECT_EQ(kind_of(1, heap.end), ValueKind::kImage);
  EXPECT_EQ(kind_of(2, heap.end), ValueKind::kRecord);
  EXPECT_LT(stored(2, heap.end).bytes.size(), 100U);
  EXPECT_EQ(stored(2, gin.end).bytes.size(), gin.bytes.size());
}

TEST_F(WalIngesterTest, ARecordSaysWhetherHintBitsWereLoggedWhereItWasWritten) {
  set_size(kMain, 3);
  set_control_file(ControlFile::for_redo());
  auto ingester = open();
  std::vector<WalRecord> changes;
  const auto take = [&](const WalRecord& record) { ASSERT_TRUE(ingester.ingest(record).ok()); };
  const auto take_change = [&] {
    changes.push_back(change_block(2));
    take(changes.back());
  };
  take_change();
  take(set_wal_log_hints(true));
  take_change();
  take(set_wal_log_hints(false));
  take_change();
  ASSERT_TRUE(ingester.flush().ok());
  for (size_t i = 0; i < changes.size(); ++i) {
    EXPECT_EQ(stored(2, changes[i].end).hint_bits_logged, i == 1) << i;
  }
}

TEST_F(WalIngesterTest, HintBitsAreLoggedWhereDataChecksumsAre) {
  set_size(kMain, 3);
  auto ingester = open();
  const WalRecord first = change_block(2);
  ASSERT_TRUE(ingester.ingest(first).ok());
  ASSERT_TRUE(ingester.ingest(set_wal_log_hints(false)).ok());
  const WalRecord change = change_block(2);
  ASSERT_TRUE(ingester.ingest(change).ok());
  ASSERT_TRUE(ingester.flush().ok());
  EXPECT_TRUE(stored(2, first.end).hint_bits_logged);
  EXPECT_TRUE(stored(2, change.end).hint_bits_logged);
  EXPECT_TRUE(std::ranges::equal(stored(2, change.end).bytes, change.bytes));
}

TEST_F(WalIngesterTest, WhatWasCutOffDoesNotComeBackWhenTheRelationGrowsAgain) {
  set_size(kMain, 10);
  auto ingester = open();
  ASSERT_TRUE(ingester.ingest(truncate(2)).ok());
  const WalRecord growth = change_block(5, true);
  ASSERT_TRUE(ingester.ingest(growth).ok());
  ASSERT_TRUE(ingester.flush().ok());
  EXPECT_EQ(size_of(kMain), 6U);
  EXPECT_EQ(kind_of(1, growth.end), std::nullopt);
  for (const uint32_t block : {2, 3, 4}) {
    EXPECT_EQ(kind_of(block, growth.end), ValueKind::kTombstone) << block;
  }
  EXPECT_EQ(kind_of(5, growth.end), ValueKind::kFirstRecord);
}

TEST_F(WalIngesterTest, AChangeOfABlockThatIsNotThereIsDamageOnceTheClusterIsConsistent) {
  set_size(kMain, 3);
  const WalRecord early = change_block(7);
  auto ingester = open({.consistent_from = early.end});
  ASSERT_TRUE(ingester.ingest(early).ok());
  const auto late = ingester.ingest(change_block(7));
  ASSERT_TRUE(late.failed_with(ErrorCode::kCorrupted));
  EXPECT_THAT(late.error().message(), HasSubstr("block 7 of relation 1663/5/16384 main"));
  EXPECT_THAT(late.error().message(), HasSubstr("3 blocks"));
}

TEST_F(WalIngesterTest, OfARecordThatFailsNothingShowsAndAllBeforeItDoes) {
  set_size(kMain, 3);
  auto ingester = open();
  const WalRecord good = change_block(0);
  ASSERT_TRUE(ingester.ingest(good).ok());
  const WalRecord half_good = change_blocks({1, 7});
  ASSERT_TRUE(ingester.ingest(half_good).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(ingester.ingest(change_block(2)).failed_with(ErrorCode::kConflict));
  EXPECT_EQ(ingester.last_record(), good.end);
  ASSERT_TRUE(ingester.flush().ok());
  EXPECT_EQ(target_.last, good.end);
  EXPECT_EQ(kind_of(0, good.end), ValueKind::kRecord);
  EXPECT_EQ(target_.kinds.size(), 1U);
}

TEST_F(WalIngesterTest, TheHistoryOfAPromotedServerIsAnother) {
  auto ingester = open();
  ByteWriter data;
  data.put(uint64_t{0});
  data.put(uint32_t{2});
  data.put(uint32_t{1});
  const auto refused = ingester.ingest(placed(writer_.add(
      {.resource_manager = 0, .info = 0x90, .transaction = 0}, WalWriter::main_data(data.view()))));
  ASSERT_TRUE(refused.failed_with(ErrorCode::kInvalidArgument));
  EXPECT_THAT(refused.error().message(), HasSubstr("promoted to timeline 2"));
}

TEST_F(WalIngesterTest, WhatNobodyKnowsIsNotPassedOver) {
  auto ingester = open();
  const auto refused = ingester.ingest(placed(writer_.add({.resource_manager = 130}, {})));
  ASSERT_TRUE(refused.failed_with(ErrorCode::kInvalidArgument));
}

TEST_F(WalIngesterTest, ATargetThatIsNoClusterIsRefused) {
  target_.stored.erase(ControlFileKey{});
  EXPECT_FALSE(WalIngester::open(target_, writer_.position(), {}).ok());
}

}  // namespace
}  // namespace varve
