#include "ingest/transaction_outcomes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/test_support/database_catalog.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr Lsn kLsn{0x176ACC0};

constexpr uint32_t kCommitted = 1000;
constexpr uint32_t kAborted = 1001;
constexpr uint32_t kRunning = 1002;
constexpr uint32_t kSubcommitted = 1003;
// On a page that is not stored.
constexpr uint32_t kUnknown = 10 * kTransactionsPerStatusPage;

class TransactionOutcomesTest : public testing::Test {
 protected:
  void SetUp() override {
    store_status(store_, kCommitted, TransactionStatus::kCommitted);
    store_status(store_, kAborted, TransactionStatus::kAborted);
    store_status(store_, kSubcommitted, TransactionStatus::kSubcommitted);
  }

  bool is_visible(const HeapTuple& tuple) {
    const auto visible = TransactionOutcomes(store_, kLsn, checkpoint_).is_visible(tuple);
    EXPECT_TRUE(visible.ok()) << visible.error().message();
    return visible.ok() && *visible;
  }
  // Of a tuple that is there but for its deleter.
  bool is_deleted(uint32_t xmax, uint16_t flags = 0) {
    return !is_visible({.xmin = 2, .xmax = xmax, .flags = flags});
  }
  std::string refusal(const HeapTuple& tuple) {
    const auto visible = TransactionOutcomes(store_, kLsn, checkpoint_).is_visible(tuple);
    if (visible.ok()) return "it was accepted";
    EXPECT_EQ(visible.code(), ErrorCode::kCorrupted);
    return visible.error().message();
  }

  MemoryVersions store_;
  CheckpointRecord checkpoint_{.next_multixact = 8, .next_multixact_offset = 20};
};

TEST_F(TransactionOutcomesTest, WhatWasInsertedIsSeenOnceItCommitted) {
  EXPECT_TRUE(is_visible({.xmin = kCommitted}));
  EXPECT_FALSE(is_visible({.xmin = kAborted}));
  EXPECT_FALSE(is_visible({.xmin = kRunning}));
  EXPECT_FALSE(is_visible({.xmin = kSubcommitted}));
  EXPECT_TRUE(is_visible({.xmin = 1})) << "of initdb";
  EXPECT_TRUE(is_visible({.xmin = 2}));
  EXPECT_FALSE(is_visible({.xmin = 0}));
}

TEST_F(TransactionOutcomesTest, WhatTheTupleSaysNeedsNoPage) {
  EXPECT_TRUE(is_visible({.xmin = kUnknown, .flags = HeapTuple::kXminCommitted}));
  EXPECT_TRUE(is_visible({.xmin = kUnknown, .flags = HeapTuple::kXminFrozen}));
  EXPECT_FALSE(is_visible({.xmin = kUnknown, .flags = HeapTuple::kXminInvalid}));
  EXPECT_TRUE(is_deleted(kUnknown, HeapTuple::kXmaxCommitted));
  EXPECT_FALSE(is_deleted(kUnknown, HeapTuple::kXmaxInvalid));
  EXPECT_FALSE(is_deleted(kUnknown, HeapTuple::kXmaxLockOnly));
  EXPECT_FALSE(is_deleted(kUnknown, HeapTuple::kXmaxExclusiveLock));
}

TEST_F(TransactionOutcomesTest, WhatWasDeletedIsGoneOnceThatCommitted) {
  EXPECT_TRUE(is_deleted(kCommitted));
  EXPECT_FALSE(is_deleted(kAborted));
  EXPECT_FALSE(is_deleted(kRunning));
  EXPECT_FALSE(is_deleted(kSubcommitted));
}

TEST_F(TransactionOutcomesTest, OfAMultixactTheMemberThatChangesTheRowCounts) {
  constexpr uint16_t kMulti = HeapTuple::kXmaxIsMultixact;
  // Key share and share locks, an update that keeps the key, an update.
  store_multixact(store_, 5, 10, {{kCommitted, 0}, {kAborted, 4}, {kCommitted, 1}});
  store_multixact(store_, 6, 13, {{kRunning, 0}, {kCommitted, 5}});
  store_multixact(store_, 7, 15, {{kCommitted, 0}, {kCommitted, 3}});
  EXPECT_FALSE(is_deleted(5, kMulti));
  EXPECT_TRUE(is_deleted(6, kMulti));
  EXPECT_FALSE(is_deleted(7, kMulti)) << "its members only lock";
  EXPECT_FALSE(is_deleted(6, kMulti | HeapTuple::kXmaxLockOnly));
  EXPECT_FALSE(is_deleted(5, kMulti | HeapTuple::kXmaxCommitted)) << "which is not said of it";
}

TEST_F(TransactionOutcomesTest, TheLastMultixactEndsWhereTheCountersSay) {
  checkpoint_ = {.next_multixact = 8, .next_multixact_offset = 16};
  store_multixact(store_, 7, 15, {{kCommitted, 0}});
  // Left over from before the numbers started again.
  store_multixact(store_, 8, 18, {{kRunning, 0}});
  store_multixact(store_, 9, 16, {{kCommitted, 5}});
  EXPECT_FALSE(is_deleted(7, HeapTuple::kXmaxIsMultixact));
}

TEST_F(TransactionOutcomesTest, MembersMayLieOnSeveralPages) {
  std::vector<wal15::MultixactMember> members(2000, {kCommitted, 0});
  members.push_back({kCommitted, 4});
  store_multixact(store_, 5, 100, members);
  EXPECT_TRUE(is_deleted(5, HeapTuple::kXmaxIsMultixact));
}

TEST_F(TransactionOutcomesTest, OffsetZeroIsNoMember) {
  checkpoint_ = {.next_multixact = 6, .next_multixact_offset = 2};
  store_multixact(store_, 5, 0xFFFFFFFF, {{kCommitted, 0}});
  store_multixact(store_, 5, 1, {{kCommitted, 5}});
  store_multixact(store_, 5, 0xFFFFFFFF, {{kCommitted, 0}});
  EXPECT_TRUE(is_deleted(5, HeapTuple::kXmaxIsMultixact));
}

TEST_F(TransactionOutcomesTest, WhatIsMissingOrDamagedIsNamed) {
  constexpr uint16_t kMulti = HeapTuple::kXmaxIsMultixact;
  EXPECT_THAT(refusal({.xmin = kUnknown}),
              AllOf(HasSubstr("pg_xact page 10"), HasSubstr("0/176ACC0")));
  EXPECT_THAT(refusal({.xmin = 2, .xmax = 5, .flags = kMulti}),
              HasSubstr("pg_multixact/offsets page 0"));
  store_multixact(store_, 5, 10, {{kCommitted, 0}});
  EXPECT_THAT(refusal({.xmin = 2, .xmax = 4, .flags = kMulti}),
              HasSubstr("the members of multixact 4"));
  store_multixact(store_, 6, 5000, {{kCommitted, 0}});
  EXPECT_THAT(refusal({.xmin = 2, .xmax = 5, .flags = kMulti}),
              HasSubstr("pg_multixact/members page 1 is not stored"));
  store_multixact(store_, 5, 10, {{kCommitted, 6}});
  EXPECT_THAT(refusal({.xmin = 2, .xmax = 5, .flags = kMulti}),
              HasSubstr("member 10 of multixact 5 has the status 6"));
  store_[SlruBlockKey{Slru::kTransactionStatus, 0}].pop_back();
  EXPECT_THAT(refusal({.xmin = kCommitted}), HasSubstr("pg_xact page 0 has 8191 bytes"));
}

}  // namespace
}  // namespace varve
