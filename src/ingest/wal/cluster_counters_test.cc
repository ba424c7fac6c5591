#include "ingest/wal/cluster_counters.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

CheckpointRecord at(uint64_t next_transaction) {
  CheckpointRecord checkpoint;
  checkpoint.next_transaction = next_transaction;
  checkpoint.next_multixact = 5;
  checkpoint.next_multixact_offset = 10;
  checkpoint.oldest_transaction = 700;
  return checkpoint;
}

TEST(ClusterCounters, TheNextTransactionLiesAheadSoThatFewVersionsAreNeeded) {
  ClusterCounters counters(at(1000));
  counters.note_transaction(999);
  EXPECT_FALSE(counters.take_change());
  counters.note_transaction(1000);
  EXPECT_TRUE(counters.take_change());
  const uint64_t stored = counters.stored().next_transaction;
  EXPECT_GT(stored, 1001U);
  for (uint32_t i = 1001; i < stored; ++i) counters.note_transaction(i);
  EXPECT_FALSE(counters.take_change());
  counters.note_transaction(static_cast<uint32_t>(stored));
  EXPECT_TRUE(counters.take_change());
  EXPECT_GT(counters.stored().next_transaction, stored);
}

TEST(ClusterCounters, TheNextTransactionIsOnNoPageOfItsStatusThatIsNotThereYet) {
  ClusterCounters counters(at(32000));
  counters.note_transaction(32700);
  // A server that starts reads the page of the next transaction, unless it is the first there.
  EXPECT_EQ(counters.stored().next_transaction, 32768U);
  counters.note_transaction(32767);
  EXPECT_EQ(counters.stored().next_transaction, 32768U);
  counters.note_transaction(32768);
  EXPECT_GT(counters.stored().next_transaction, 32769U);
}

TEST(ClusterCounters, TransactionsCountOnAfterTheirNumbersHaveWrapped) {
  ClusterCounters counters(at(0xFFFFFFF0));
  counters.note_transaction(0xFFFFFFFF);
  // The first three numbers are never given out.
  EXPECT_GE(counters.stored().next_transaction, 0x100000003U);
  counters.note_transaction(40000);
  EXPECT_GT(counters.stored().next_transaction, 0x100000000U + 40000);
  // One of before the wrap is an old one.
  ASSERT_TRUE(counters.take_change());
  counters.note_transaction(0xFFFFFFF5);
  EXPECT_FALSE(counters.take_change());
}

TEST(ClusterCounters, ACheckpointTakesNothingBack) {
  ClusterCounters counters(at(1000));
  counters.note_transaction(5000);
  const uint64_t ahead = counters.stored().next_transaction;
  CheckpointRecord checkpoint = at(4000);
  checkpoint.next_multixact = 3;
  checkpoint.oldest_transaction = 800;
  checkpoint.next_oid = 20000;
  counters.note_checkpoint(checkpoint);
  EXPECT_EQ(counters.stored().next_transaction, ahead);
  EXPECT_EQ(counters.stored().next_multixact, 5U);
  EXPECT_EQ(counters.stored().next_multixact_offset, 10U);
  EXPECT_EQ(counters.stored().oldest_transaction, 800U);
  EXPECT_EQ(counters.stored().next_oid, 20000U);
}

}  // namespace
}  // namespace varve
