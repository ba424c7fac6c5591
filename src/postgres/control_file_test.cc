#include "postgres/control_file.h"

#include <gtest/gtest.h>

#include "base/checksum.h"
#include "postgres/test_support/golden_files.h"

namespace varve {
namespace {

constexpr size_t kCrcOffset = 288;

// The golden file with one word changed, and a CRC that fits it.
Bytes with_word(size_t offset, uint32_t value) {
  Bytes file = stopped_control_file();
  store_little(&file[offset], value);
  store_little(&file[kCrcOffset], crc32c(ByteView(file).first(kCrcOffset)));
  return file;
}

TEST(ControlFile, ReadsWhatAStoppedServerWrote) {
  const auto file = ControlFile::parse(stopped_control_file());
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file->system_identifier(), 7710731997825599511U);
  EXPECT_EQ(file->state(), DatabaseState::kShutDown);
  EXPECT_EQ(file->checkpoint_lsn().to_string(), "0/176AC48");
  EXPECT_EQ(file->wal_segment_size(), 16U << 20);
  EXPECT_TRUE(file->has_data_checksums());

  const CheckpointRecord checkpoint = file->checkpoint();
  EXPECT_EQ(checkpoint.redo.to_string(), "0/176AC48");
  EXPECT_EQ(checkpoint.timeline, 1U);
  EXPECT_EQ(checkpoint.previous_timeline, 1U);
  EXPECT_TRUE(checkpoint.full_page_writes);
  EXPECT_EQ(checkpoint.next_transaction, 726U);
  EXPECT_EQ(checkpoint.next_oid, 16387U);
  EXPECT_EQ(checkpoint.next_multixact, 1U);
  EXPECT_EQ(checkpoint.oldest_transaction, 716U);
  EXPECT_EQ(checkpoint.oldest_transaction_database, 1U);

  const ServerSettings settings = file->settings();
  EXPECT_EQ(settings.wal_level, WalLevel::kReplica);
  EXPECT_EQ(settings.max_connections, 100U);
  EXPECT_EQ(settings.max_prepared_transactions, 5U);
  EXPECT_EQ(settings.max_locks_per_transaction, 64U);
}

TEST(ControlFile, EncodesACheckpointAsTheServerDid) {
  const auto file = ControlFile::parse(stopped_control_file());
  ASSERT_TRUE(file.ok());
  const auto encoded = file->checkpoint().encode();
  EXPECT_EQ(hex_encode(encoded), hex_encode(file->checkpoint_bytes()));
}

TEST(ControlFile, TheWholeFileHas8192BytesAndReadsBack) {
  const auto file = ControlFile::parse(stopped_control_file());
  ASSERT_TRUE(file.ok());
  const Bytes whole = file->to_file();
  EXPECT_EQ(whole.size(), 8192U);
  const auto again = ControlFile::parse(whole);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, *file);
}

// pg_resetwal also resets the settings, to the server's defaults.
TEST(ControlFile, ARestoredFileIsWhatPgResetwalWrites) {
  const auto stopped = ControlFile::parse(stopped_control_file());
  const auto reset = ControlFile::parse(reset_control_file());
  ASSERT_TRUE(stopped.ok() && reset.ok());
  const ControlFile restored = stopped->with_settings(reset->settings())
                                   .shut_down_at(reset->checkpoint(), reset->checkpoint_lsn());
  EXPECT_EQ(hex_encode(restored.data()), hex_encode(reset->data()));
}

TEST(ControlFile, ARestoredFileForgetsRecoveryAndBackup) {
  Bytes bytes = stopped_control_file();
  store_little(&bytes[16], uint32_t{5});  // in archive recovery
  for (const size_t offset : {136U, 152U, 160U}) store_little(&bytes[offset], uint64_t{0x1234568});
  store_little(&bytes[144], uint32_t{3});
  bytes[168] = 1;
  store_little(&bytes[kCrcOffset], crc32c(ByteView(bytes).first(kCrcOffset)));
  const auto file = ControlFile::parse(bytes);
  ASSERT_TRUE(file.ok());

  const auto clean = ControlFile::parse(stopped_control_file());
  ASSERT_TRUE(clean.ok());
  EXPECT_EQ(file->shut_down_at(file->checkpoint(), Lsn{0x2000028}),
            clean->shut_down_at(clean->checkpoint(), Lsn{0x2000028}));
}

TEST(ControlFile, ThatForRedoIsOfAServerThatLogsNoHintBits) {
  const auto file = ControlFile::parse(ControlFile::for_redo().to_file());
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file->state(), DatabaseState::kShutDown);
  EXPECT_FALSE(file->logs_hint_bits());
}

TEST(ControlFile, HintBitsAreLoggedWithChecksumsOrWhenThatIsSet) {
  EXPECT_TRUE(ControlFile::parse(stopped_control_file())->logs_hint_bits());
  ServerSettings settings;
  EXPECT_FALSE(ControlFile::for_redo().with_settings(settings).logs_hint_bits());
  settings.wal_log_hints = true;
  EXPECT_TRUE(ControlFile::for_redo().with_settings(settings).logs_hint_bits());
}

TEST(ControlFile, ADamagedFileIsRefused) {
  Bytes bytes = stopped_control_file();
  bytes[100] ^= 1;
  const auto file = ControlFile::parse(bytes);
  EXPECT_TRUE(file.failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(ControlFile::parse(ByteView(bytes).first(295)).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(ControlFile::parse({}).failed_with(ErrorCode::kCorrupted));
}

TEST(ControlFile, OtherVersionsAreRefusedByName) {
  const auto format17 = ControlFile::parse(with_word(8, 1700));
  ASSERT_TRUE(format17.failed_with(ErrorCode::kInvalidArgument));
  EXPECT_NE(format17.error().message().find("1700"), std::string::npos);

  const auto version16 = ControlFile::parse(with_word(12, 202307071));
  ASSERT_TRUE(version16.failed_with(ErrorCode::kInvalidArgument));
  EXPECT_NE(version16.error().message().find("PostgreSQL 16"), std::string::npos);
}

TEST(ControlFile, UnusualBuildsAreRefusedByWhatIsUnusual) {
  const auto big_blocks = ControlFile::parse(with_word(216, 32768));
  ASSERT_TRUE(big_blocks.failed_with(ErrorCode::kInvalidArgument));
  EXPECT_NE(big_blocks.error().message().find("block size is 32768"), std::string::npos);
  for (const size_t offset : {204U, 208U, 220U, 224U, 232U, 236U, 240U, 244U, 248U}) {
    EXPECT_TRUE(
        ControlFile::parse(with_word(offset, 12345)).failed_with(ErrorCode::kInvalidArgument))
        << "at " << offset;
  }
  EXPECT_TRUE(ControlFile::parse(with_word(252, 2)).failed_with(ErrorCode::kInvalidArgument));
}

TEST(ControlFile, ImpossibleValuesAreRefused) {
  EXPECT_TRUE(ControlFile::parse(with_word(228, 3 << 20)).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(ControlFile::parse(with_word(16, 7)).failed_with(ErrorCode::kCorrupted));
}

}  // namespace
}  // namespace varve
