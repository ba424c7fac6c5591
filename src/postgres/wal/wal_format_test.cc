#include "postgres/wal/wal_format.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

std::string identify(uint8_t resource_manager, uint8_t info) {
  const auto type = identify_record(
      wal_format_15(), {.info = info, .resource_manager = resource_manager}, Lsn{0x1000090});
  if (type.ok()) return fmt::format("{} {}", type->resource_manager, type->name);
  EXPECT_EQ(type.code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(type.error().message().find("0/1000090"), std::string::npos);
  return type.error().message();
}

TEST(WalFormat, IsFoundByVersionAndMagicNumber) {
  EXPECT_EQ(find_wal_format(15), &wal_format_15());
  EXPECT_EQ(find_wal_format(16), nullptr);
  EXPECT_EQ(find_wal_format_by_magic(0xD110), &wal_format_15());
  EXPECT_EQ(find_wal_format_by_magic(0xD113), nullptr);
  EXPECT_EQ(release_of_wal_magic(0xD110), "PostgreSQL 15");
  EXPECT_EQ(release_of_wal_magic(0xD10D), "PostgreSQL 14");
  EXPECT_EQ(release_of_wal_magic(0x1234), std::nullopt);
}

TEST(RecordType, HasTheNameThatPgWaldumpPrints) {
  EXPECT_EQ(identify(0, 0x00), "XLOG CHECKPOINT_SHUTDOWN");
  EXPECT_EQ(identify(0, 0xD0), "XLOG OVERWRITE_CONTRECORD");
  EXPECT_EQ(identify(1, 0x80), "Transaction COMMIT");
  EXPECT_EQ(identify(9, 0xD0), "Heap2 MULTI_INSERT+INIT");
  EXPECT_EQ(identify(10, 0xC0), "Heap HOT_UPDATE+INIT");
  EXPECT_EQ(identify(17, 0x90), "BRIN INSERT+INIT");
  EXPECT_EQ(identify(21, 0x00), "LogicalMessage MESSAGE");
}

TEST(RecordType, MayCarryTheFlagsOfTheRecordItself) {
  EXPECT_EQ(identify(2, 0x21), "Storage TRUNCATE") << "XLR_SPECIAL_REL_UPDATE";
  EXPECT_EQ(identify(10, 0x02), "Heap INSERT") << "XLR_CHECK_CONSISTENCY";
}

TEST(RecordType, ThatNobodyKnowsEndsTheWal) {
  EXPECT_NE(identify(128, 0x00).find("manager 128 (info 00), that of an extension"),
            std::string::npos);
  EXPECT_NE(identify(22, 0x30).find("manager 22 (info 30), which PostgreSQL 15 does not have"),
            std::string::npos);
  EXPECT_NE(identify(0, 0xC0).find("info c0, which the resource manager XLOG"), std::string::npos);
  EXPECT_NE(identify(10, 0x90).find("info 90, which the resource manager Heap"), std::string::npos)
      << "there is no DELETE with XLOG_HEAP_INIT_PAGE";
  EXPECT_NE(identify(10, 0x04).find("info 04"), std::string::npos) << "an unknown flag";
}

}  // namespace
}  // namespace varve
