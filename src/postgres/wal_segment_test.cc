#include "postgres/wal_segment.h"

#include <gtest/gtest.h>

#include "postgres/test_support/golden_files.h"
#include "postgres/wal/stream_decoder.h"

namespace varve {
namespace {

constexpr uint32_t kSegmentSize = 16U << 20;

std::string record_end(uint64_t start, uint32_t segment_size = kSegmentSize) {
  const auto end = checkpoint_record_end(Lsn{start}, segment_size);
  return end.ok() ? end->to_string() : std::string(name(end.code()));
}

TEST(WalSegment, IsByteForByteWhatPgResetwalWrites) {
  const auto control_file = ControlFile::parse(reset_control_file());
  ASSERT_TRUE(control_file.ok());
  const Bytes page = shutdown_checkpoint_page({
      .system_identifier = control_file->system_identifier(),
      .wal_segment_size = control_file->wal_segment_size(),
      .lsn = control_file->checkpoint_lsn(),
      .checkpoint = control_file->checkpoint(),
  });
  Bytes expected = reset_wal_segment();
  expected.resize(8192);
  EXPECT_EQ(hex_encode(page), hex_encode(expected));
}

TEST(WalSegment, ARestoredClusterContinuesInAFreshSegment) {
  const auto next = [](uint64_t lsn, uint32_t size) {
    return next_segment_checkpoint(Lsn{lsn}, size, false).to_string();
  };
  EXPECT_EQ(next(0x176AC48, kSegmentSize), "0/2000028");
  EXPECT_EQ(next(0x1FFFFFF, kSegmentSize), "0/2000028");
  EXPECT_EQ(next(0x2000000, kSegmentSize), "0/3000028")
      << "a segment that begins at the LSN may hold it";
  EXPECT_EQ(next(0xFFFFFFFF, kSegmentSize), "1/28");
  EXPECT_EQ(next(0x176AC48, 1U << 20), "0/1800028");
  EXPECT_EQ(next(0x176AC48, 1U << 30), "0/40000028");
}

TEST(WalSegment, TellsWhatItWasRestoredFrom) {
  const auto control_file = ControlFile::parse(reset_control_file());
  ASSERT_TRUE(control_file.ok());
  const Lsn restored{0x176AC48};
  const RestoreMark mark = {.timeline = {.tenant = {{1, 2, 3}}, .timeline = {{4, 5}}},
                            .lsn = restored};
  CheckpointRecord checkpoint = control_file->checkpoint();
  checkpoint.redo = next_segment_checkpoint(restored, kSegmentSize, true);
  const Bytes page = shutdown_checkpoint_page({
      .system_identifier = control_file->system_identifier(),
      .wal_segment_size = kSegmentSize,
      .mark = mark,
      .lsn = checkpoint.redo,
      .checkpoint = checkpoint,
  });
  ASSERT_EQ(page.size(), 8192);

  auto decoder = WalStreamDecoder::create({.position = next_wal_segment(restored, kSegmentSize),
                                           .wal_segment_size = kSegmentSize,
                                           .system_identifier = control_file->system_identifier(),
                                           .timeline = checkpoint.timeline});
  ASSERT_TRUE(decoder.ok());
  ByteView input = page;
  DecodedRecord decoded;
  const auto first = decoder->next(input);
  ASSERT_TRUE(first.ok()) << first.error().message();
  ASSERT_TRUE(*first);
  ASSERT_TRUE(decoded.decode(**first).ok());
  EXPECT_EQ(RestoreMark::find(decoded), mark);
  const auto second = decoder->next(input);
  ASSERT_TRUE(second.ok()) << second.error().message();
  ASSERT_TRUE(*second);
  ASSERT_TRUE(decoded.decode(**second).ok());
  EXPECT_EQ(decoded.start(), checkpoint.redo);
  EXPECT_EQ(RestoreMark::find(decoded), std::nullopt) << "a checkpoint is none";
}

TEST(CheckpointRecordEnd, IsAlignedBehindTheRecord) {
  EXPECT_EQ(record_end(0x176AC48), "0/176ACC0");
  EXPECT_EQ(record_end(0x2000028), "0/20000A0");
}

TEST(CheckpointRecordEnd, CountsTheHeaderOfAPageThatTheRecordReaches) {
  EXPECT_EQ(record_end(0x1001FF8), "0/1002088") << "8 bytes on the first page, 112 on the next";
  EXPECT_EQ(record_end(0x1001F88), "0/1002000") << "the record fits exactly";
  EXPECT_EQ(record_end(0x1001F90), "0/1002020");
}

TEST(CheckpointRecordEnd, TheFirstPageOfASegmentHasALongHeader) {
  EXPECT_EQ(record_end(0x1FFFFF8), "0/2000098");
  EXPECT_EQ(record_end(0x10FFFF8, 1U << 20), "0/1100098");
  EXPECT_EQ(record_end(0x10FFFF8), "0/1100088");
}

TEST(CheckpointRecordEnd, RefusesWhereNoRecordCanStart) {
  for (const uint64_t start : {uint64_t{0}, uint64_t{0x1000000}, uint64_t{0x1000020},
                               uint64_t{0x1002010}, uint64_t{0x1001F89}}) {
    EXPECT_EQ(record_end(start), "InvalidArgument") << Lsn{start}.to_string();
  }
}

TEST(WalSegmentSize, IsAPowerOfTwoFromOneMebibyteToOneGibibyte) {
  EXPECT_TRUE(is_valid_wal_segment_size(1U << 20));
  EXPECT_TRUE(is_valid_wal_segment_size(1U << 30));
  for (const uint32_t size : {0U, 1U << 19, 3U << 20, 1U << 31}) {
    EXPECT_FALSE(is_valid_wal_segment_size(size)) << size;
  }
}

}  // namespace
}  // namespace varve
