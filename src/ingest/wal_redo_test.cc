#include "ingest/wal_redo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "postgres/stored_record.h"
#include "postgres/test_support/golden_slru.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr RelationTag kRelation{.directory = {.tablespace = 1663, .database = 5},
                                .relation = 16389};

Key block_key(RelationFork fork, uint32_t block = 0) {
  return make_key(RelationBlockKey{.fork = {.relation = kRelation, .fork = fork}, .block = block});
}

// Stands for the redo of blocks by PostgreSQL: sets every byte of the map and remembers what it was
// asked.
class FakeBlockRedo : public Redo {
 public:
  struct Call {
    Key key;
    Bytes base;
    std::vector<Lsn> records;
  };

  Result<Bytes> apply(const Key& key, ByteView base, std::span<const Version> records) override {
    Call& call = calls.emplace_back(key, Bytes(base.begin(), base.end()));
    for (const Version& record : records) call.records.push_back(record.lsn);
    if (failure) return *failure;
    Bytes page(page_size, 0xFF);
    return page;
  }

  std::vector<Call> calls;
  std::optional<Error> failure;
  size_t page_size = kBlockSize;
};

// Versions of a key, in the order in which they are added.
class Chain {
 public:
  explicit Chain(const Key& key) : key_(key) {}
  Chain(const Key& key, const std::vector<GoldenRecord>& records) : key_(key) {
    for (const GoldenRecord& record : records) add(record);
  }

  // At `lsn`, if it is given, instead of where the server wrote it.
  Chain& add(const GoldenRecord& record, Lsn lsn = {}) {
    records_.push_back(std::make_unique<Bytes>(StoredRecord{.bytes = record.bytes}.encode()));
    versions_.push_back({.key = key_,
                         .lsn = lsn.valid() ? lsn : record.end,
                         .kind = ValueKind::kRecord,
                         .value = *records_.back()});
    return *this;
  }
  std::vector<Version>& versions() { return versions_; }
  Bytes& bytes(size_t index) { return *records_[index]; }

 private:
  Key key_;
  std::vector<std::unique_ptr<Bytes>> records_;
  std::vector<Version> versions_;
};

class WalRedoTest : public testing::Test {
 protected:
  Result<Bytes> apply(const Key& key, ByteView base, Chain& chain) {
    return redo_.apply(key, base, chain.versions());
  }
  void expect_corrupted(const Result<Bytes>& result, const std::vector<std::string>& words) {
    ASSERT_TRUE(result.failed_with(ErrorCode::kCorrupted));
    for (const std::string& word : words) EXPECT_THAT(result.error().message(), HasSubstr(word));
  }

  std::shared_ptr<FakeBlockRedo> blocks_ = std::make_shared<FakeBlockRedo>();
  WalRedo redo_{blocks_};
};

TEST_F(WalRedoTest, SlruPageStartsAsZeros) {
  const Key key = make_key(SlruBlockKey{.slru = Slru::kMultixactOffsets, .page = 1});
  const auto records = multixact_records();
  // The page is zeroed, the multixact before it, those on it; 3 is the first page of members.
  Chain chain(key, {records[1], records[3], records[4], records[5], records[6]});
  const Result<Bytes> page = apply(key, {}, chain);
  ASSERT_TRUE(page.ok()) << page.error().message();
  Bytes expected = offsets_page_1();
  expected.resize(kBlockSize);
  EXPECT_EQ(*page, expected);
  EXPECT_THAT(blocks_->calls, IsEmpty());
}

TEST_F(WalRedoTest, SlruPageContinuesItsBase) {
  const Key key = make_key(SlruBlockKey{.slru = Slru::kTransactionStatus, .page = 0});
  const Bytes base(kBlockSize, 0xFF);
  Chain chain(key, {transaction_ends()[4]});
  const Result<Bytes> page = apply(key, base, chain);
  ASSERT_TRUE(page.ok()) << page.error().message();
  EXPECT_EQ((*page)[0], 0xFF);
  EXPECT_EQ((*page)[8191], 0b01'01'01'01);
  Chain nothing(key);
  EXPECT_EQ(*apply(key, base, nothing), base);
}

TEST_F(WalRedoTest, RelationBlocksAreLeftToTheOther) {
  const Key key = block_key(RelationFork::kMain, 7);
  // Even what would be applied here to a visibility map.
  Chain chain(key, {transaction_ends()[0], truncate_to_11_blocks()});
  const Result<Bytes> page = apply(key, {}, chain);
  ASSERT_TRUE(page.ok()) << page.error().message();
  ASSERT_EQ(blocks_->calls.size(), 1U);
  EXPECT_EQ(blocks_->calls[0].key, key);
  EXPECT_THAT(blocks_->calls[0].base, IsEmpty());
  EXPECT_THAT(blocks_->calls[0].records,
              ElementsAre(transaction_ends()[0].end, truncate_to_11_blocks().end));
}

TEST_F(WalRedoTest, VisibilityMapWithoutTruncationStartsAsZeros) {
  const Key key = block_key(RelationFork::kVisibilityMap);
  Chain chain(key, {visible_record()});
  ASSERT_TRUE(apply(key, {}, chain).ok());
  ASSERT_EQ(blocks_->calls.size(), 1U);
  EXPECT_EQ(blocks_->calls[0].base, Bytes(kBlockSize));
}

TEST_F(WalRedoTest, TruncationsSplitTheChainOfAVisibilityMap) {
  const Key key = block_key(RelationFork::kVisibilityMap);
  const GoldenRecord other = visible_record();
  Chain chain(key);
  chain.add(other, Lsn{100}).add(other, Lsn{200}).add(truncate_to_11_blocks(), Lsn{300});
  chain.add(truncate_to_11_blocks(), Lsn{400}).add(other, Lsn{500});
  chain.add(truncate_to_11_blocks(), Lsn{600});
  const Bytes base(kBlockSize, 0x11);
  const Result<Bytes> page = apply(key, base, chain);
  ASSERT_TRUE(page.ok()) << page.error().message();
  ASSERT_EQ(blocks_->calls.size(), 2U);
  EXPECT_EQ(blocks_->calls[0].base, base);
  EXPECT_THAT(blocks_->calls[0].records, ElementsAre(Lsn{100}, Lsn{200}));
  Bytes cut(kBlockSize);
  std::fill(cut.begin(), cut.begin() + 26, uint8_t{0xFF});
  cut[26] = 0x3F;
  EXPECT_EQ(blocks_->calls[1].base, cut);
  EXPECT_THAT(blocks_->calls[1].records, ElementsAre(Lsn{500}));
  EXPECT_EQ(*page, cut);
}

TEST_F(WalRedoTest, ErrorsOfTheOtherRedoAreReturned) {
  blocks_->failure = make_error(ErrorCode::kUnavailable, "no process");
  const Key key = block_key(RelationFork::kVisibilityMap);
  Chain chain(key, {visible_record(), truncate_to_11_blocks()});
  EXPECT_TRUE(apply(key, {}, chain).failed_with(ErrorCode::kUnavailable));
  blocks_->failure.reset();
  blocks_->page_size = 100;
  EXPECT_TRUE(apply(key, {}, chain).failed_with(ErrorCode::kInternal));
}

TEST_F(WalRedoTest, RecordOfAnotherPageIsCorrupted) {
  const Key slru = make_key(SlruBlockKey{.slru = Slru::kTransactionStatus, .page = 5});
  Chain commit(slru, {transaction_ends()[0]});
  expect_corrupted(apply(slru, {}, commit), {describe(slru), "0/2002368"});
  const Key map = block_key(RelationFork::kVisibilityMap, 1);
  Chain truncation(map, {truncate_to_11_blocks()});
  expect_corrupted(apply(map, {}, truncation),
                   {describe(map), truncate_to_11_blocks().end.to_string()});
}

TEST_F(WalRedoTest, DamagedRecordIsCorrupted) {
  const Key key = make_key(SlruBlockKey{.slru = Slru::kTransactionStatus, .page = 0});
  Chain commit(key, {transaction_ends()[0]});
  // A bit of the time, which the status does not depend on.
  commit.bytes(0).back() ^= 1;
  expect_corrupted(apply(key, {}, commit), {describe(key), "0/2002368", "CRC"});
  commit.bytes(0).front() = 2;
  expect_corrupted(apply(key, {}, commit), {describe(key), "0/2002368", "flags"});
  commit.bytes(0).front() = 1;
  commit.versions()[0].value = commit.versions()[0].value.first(10);
  expect_corrupted(apply(key, {}, commit), {describe(key), "0/2002368"});
  commit.versions()[0].value = {};
  expect_corrupted(apply(key, {}, commit), {describe(key), "0/2002368"});
}

TEST_F(WalRedoTest, ImageAmongTheRecordsIsCorrupted) {
  const Key key = make_key(SlruBlockKey{.slru = Slru::kTransactionStatus, .page = 0});
  Chain commit(key, {transaction_ends()[0]});
  commit.versions()[0].kind = ValueKind::kImage;
  expect_corrupted(apply(key, {}, commit), {describe(key), "0/2002368"});
}

TEST_F(WalRedoTest, BaseThatIsNoPageIsCorrupted) {
  const Bytes base(100);
  const Key slru = make_key(SlruBlockKey{.slru = Slru::kTransactionStatus, .page = 0});
  Chain commit(slru, {transaction_ends()[0]});
  expect_corrupted(apply(slru, base, commit), {describe(slru), "100 bytes"});
  const Key map = block_key(RelationFork::kVisibilityMap);
  Chain truncation(map, {truncate_to_11_blocks()});
  expect_corrupted(apply(map, base, truncation), {describe(map), "100 bytes"});
}

TEST_F(WalRedoTest, KeysThatRecordsDoNotMakeAreCorrupted) {
  const Key size = make_key(SlruSegmentSizeKey{.slru = Slru::kTransactionStatus, .segment = 0});
  Chain commit(size, {transaction_ends()[0]});
  expect_corrupted(apply(size, {}, commit), {describe(size), "0/2002368"});
  const Key unknown = Key::max();
  Chain other(unknown, {transaction_ends()[0]});
  EXPECT_TRUE(apply(unknown, {}, other).failed_with(ErrorCode::kCorrupted));
}

}  // namespace
}  // namespace varve
