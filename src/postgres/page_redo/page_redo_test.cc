#include "postgres/page_redo/page_redo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "postgres/page_redo/commit_timestamp_page.h"
#include "postgres/page_redo/multixact_page.h"
#include "postgres/page_redo/transaction_status_page.h"
#include "postgres/test_support/decoded_golden.h"
#include "postgres/test_support/golden_slru.h"
#include "postgres/test_support/wal_writer.h"
#include "postgres/wal/v15/payload.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using wal15::MultixactCreated;
using wal15::SlruPageZeroed;
using wal15::TransactionEnd;

using Page = std::array<uint8_t, kBlockSize>;

// The pages that a record touches, as an ingester asks for them.
std::vector<uint32_t> pages_of(const DecodedRecord& record, Slru slru) {
  const wal15::Payload payload = *wal15::parse_payload(record);
  std::vector<uint32_t> pages = {12345};
  if (const auto* family = std::get_if<wal15::TransactionPayload>(&payload)) {
    const auto& end = std::get<TransactionEnd>(*family);
    if (slru == Slru::kTransactionStatus) transaction_status_pages(end, pages);
    if (slru == Slru::kCommitTimestamps) commit_timestamp_pages(end, pages);
    return pages;
  }
  const auto& family = std::get<wal15::SlruPayload>(payload);
  if (const auto* zeroed = std::get_if<SlruPageZeroed>(&family)) {
    return zeroed->slru == slru ? std::vector{zeroed->page} : std::vector<uint32_t>{};
  }
  const auto& created = std::get<MultixactCreated>(family);
  if (slru == Slru::kMultixactOffsets) multixact_offsets_pages(created, pages);
  if (slru == Slru::kMultixactMembers) multixact_members_pages(created, pages);
  return pages;
}

// The pages of an SLRU that records make out of zeros.
std::map<uint32_t, Page> replay(const std::vector<GoldenRecord>& records, Slru slru) {
  std::map<uint32_t, Page> made;
  for (const GoldenRecord& golden : records) {
    const DecodedGolden record(golden);
    for (const uint32_t page : pages_of(*record, slru)) {
      const Result<> result = redo_slru_page(*record, slru, page, made[page]);
      EXPECT_TRUE(result.ok()) << result.error().message();
    }
  }
  return made;
}

Page page_that_ends_with(ByteView bytes) {
  Page page{};
  std::ranges::copy(bytes, page.end() - static_cast<ptrdiff_t>(bytes.size()));
  return page;
}
Page page_that_begins_with(ByteView bytes) {
  Page page{};
  std::ranges::copy(bytes, page.begin());
  return page;
}

TEST(SlruPageRedo, TransactionStatusIsThatOfTheServer) {
  const auto pages = replay(transaction_ends(), Slru::kTransactionStatus);
  ASSERT_EQ(pages.size(), 2U);
  EXPECT_EQ(pages.at(0), page_that_ends_with(end_of_status_page_0()));
  EXPECT_EQ(pages.at(1), page_that_begins_with(status_page_1()));
}

TEST(SlruPageRedo, CommitTimestampsAreThoseOfTheServer) {
  const auto pages = replay(transaction_ends(), Slru::kCommitTimestamps);
  ASSERT_EQ(pages.size(), 2U);
  EXPECT_EQ(pages.at(39), page_that_ends_with(end_of_timestamp_page_39()));
  EXPECT_EQ(pages.at(40), page_that_begins_with(timestamp_page_40()));
}

TEST(SlruPageRedo, MultixactsAreThoseOfTheServer) {
  const auto offsets = replay(multixact_records(), Slru::kMultixactOffsets);
  ASSERT_EQ(offsets.size(), 2U);
  EXPECT_EQ(offsets.at(0), page_that_ends_with(end_of_offsets_page_0()));
  EXPECT_EQ(offsets.at(1), page_that_begins_with(offsets_page_1()));
  const auto members = replay(multixact_records(), Slru::kMultixactMembers);
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members.at(0), page_that_ends_with(end_of_members_page_0()));
  EXPECT_EQ(members.at(1), page_that_begins_with(members_page_1()));
}

TEST(SlruPageRedo, WhatIsNotInTheRecordStaysAsItIs) {
  // 32759, and its subtransactions up to 32768, without 32763.
  const DecodedGolden record(transaction_ends()[4]);
  Page page;
  page.fill(0xFF);
  ASSERT_TRUE(redo_slru_page(*record, Slru::kTransactionStatus, 0, page).ok());
  Page expected;
  expected.fill(0xFF);
  expected[8189] = 0b01'11'11'11;  // 32759 down to 32756: the last one committed.
  expected[8190] = 0b11'01'01'01;
  expected[8191] = 0b01'01'01'01;
  EXPECT_EQ(page, expected);
}

TEST(SlruPageRedo, ZeroedPageIsZero) {
  const DecodedGolden record(multixact_records()[1]);
  Page page;
  page.fill(0xFF);
  ASSERT_TRUE(redo_slru_page(*record, Slru::kMultixactOffsets, 1, page).ok());
  EXPECT_EQ(page, Page{});
}

TEST(SlruPageRedo, TransactionsThatCrossPagesTouchEachOnce) {
  const DecodedGolden record(transaction_ends()[4]);
  EXPECT_THAT(pages_of(*record, Slru::kTransactionStatus), ElementsAre(0, 1));
  EXPECT_THAT(pages_of(*record, Slru::kCommitTimestamps), ElementsAre(39, 40));
}

TEST(SlruPageRedo, TransactionsBehindTheHighestNumberTouchTheFirstPage) {
  ByteWriter numbers;
  for (const uint32_t transaction : {0xFFFFFFFFU, 3U, 4U}) numbers.put(transaction);
  const TransactionEnd end{.transaction = 0xFFFFFFFE,
                           .subtransactions = EntryList<uint32_t>(numbers.view())};
  std::vector<uint32_t> pages;
  transaction_status_pages(end, pages);
  EXPECT_THAT(pages, ElementsAre(0, 131071));
  Page page{};
  EXPECT_TRUE(redo_transaction_status(end, 131071, page));
  EXPECT_EQ(page[8191], 0b01'01'00'00);
  EXPECT_EQ(transaction_status(0xFFFFFFFE, page), TransactionStatus::kCommitted);
  EXPECT_EQ(transaction_status(0xFFFFFFFD, page), TransactionStatus::kInProgress);
}

TEST(SlruPageRedo, StatusesAreReadFromTheirTwoBits) {
  Page page{};
  page[1] = 0b11'10'01'00;
  EXPECT_EQ(transaction_status(4, page), TransactionStatus::kInProgress);
  EXPECT_EQ(transaction_status(5, page), TransactionStatus::kCommitted);
  EXPECT_EQ(transaction_status(kTransactionsPerStatusPage + 6, page), TransactionStatus::kAborted);
  EXPECT_EQ(transaction_status(7, page), TransactionStatus::kSubcommitted);
}

TEST(SlruPageRedo, TransactionWithoutNumberTouchesNothing) {
  const TransactionEnd end;
  std::vector<uint32_t> pages = {1};
  transaction_status_pages(end, pages);
  EXPECT_THAT(pages, IsEmpty());
  commit_timestamp_pages(end, pages);
  EXPECT_THAT(pages, IsEmpty());
  Page page{};
  EXPECT_FALSE(redo_transaction_status(end, 0, page));
}

TEST(SlruPageRedo, AbortedTransactionHasNoCommitTimestamp) {
  const DecodedGolden abort(transaction_ends()[1]);
  EXPECT_THAT(pages_of(*abort, Slru::kCommitTimestamps), IsEmpty());
  Page page{};
  EXPECT_TRUE(
      redo_slru_page(*abort, Slru::kCommitTimestamps, 39, page).failed_with(ErrorCode::kCorrupted));
}

TEST(SlruPageRedo, RecordOfAnotherPageIsRefusedByName) {
  Page page{};
  const auto refused = [&](const GoldenRecord& golden, Slru slru, uint32_t number) {
    const Result<> result = redo_slru_page(*DecodedGolden(golden), slru, number, page);
    EXPECT_TRUE(result.failed_with(ErrorCode::kCorrupted));
    return result.ok() ? "" : result.error().message();
  };
  EXPECT_EQ(refused(transaction_ends()[0], Slru::kTransactionStatus, 1),
            "the WAL record at 0/2002340 does not change page 1 of pg_xact");
  refused(transaction_ends()[0], Slru::kMultixactOffsets, 0);
  refused(multixact_records()[0], Slru::kTransactionStatus, 0);
  refused(multixact_records()[0], Slru::kMultixactOffsets, 1);
  refused(multixact_records()[0], Slru::kMultixactMembers, 1);
  refused(multixact_records()[1], Slru::kMultixactMembers, 1);
  refused(checkpoint_record(), Slru::kTransactionStatus, 0);
  refused(truncate_to_11_blocks(), Slru::kTransactionStatus, 0);
  EXPECT_EQ(page, Page{});
}

TEST(SlruPageRedo, DamagedOrUnknownRecordIsCorrupted) {
  Page page{};
  const auto result_of = [&](const WalWriter::Kind& kind, ByteView data) {
    const GoldenRecord golden{
        .start = Lsn{0x1000090},
        .end = Lsn{0x1000100},
        .bytes = WalWriter::make_record(kind, Lsn{0x1000028}, WalWriter::main_data(data))};
    return redo_slru_page(*DecodedGolden(golden), Slru::kTransactionStatus, 0, page);
  };
  const Bytes short_commit(7);
  EXPECT_TRUE(result_of({.resource_manager = 1, .info = 0x00}, short_commit)
                  .failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(result_of({.resource_manager = 200, .info = 0x00}, short_commit)
                  .failed_with(ErrorCode::kCorrupted));
}

}  // namespace
}  // namespace varve
