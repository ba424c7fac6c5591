// File names: of relations, SLRU segments, two-phase files and WAL segments.
#include <gtest/gtest.h>

#include "postgres/relation_file_name.h"
#include "postgres/slru.h"
#include "postgres/two_phase_file.h"
#include "postgres/wal_segment.h"

namespace varve {
namespace {

TEST(RelationFileName, ReadsAndPrintsAllForms) {
  struct Example {
    std::string_view text;
    RelationFileName file;
  };
  const Example examples[] = {
      {"16384", {.relation = 16384, .fork = RelationFork::kMain, .segment = 0, .backend = {}}},
      {"16384.1", {.relation = 16384, .fork = RelationFork::kMain, .segment = 1, .backend = {}}},
      {"1_fsm", {.relation = 1, .fork = RelationFork::kFreeSpaceMap, .segment = 0, .backend = {}}},
      {"2_vm.12",
       {.relation = 2, .fork = RelationFork::kVisibilityMap, .segment = 12, .backend = {}}},
      {"4294967295_init",
       {.relation = 4294967295, .fork = RelationFork::kInit, .segment = 0, .backend = {}}},
      {"t3_16384", {.relation = 16384, .fork = RelationFork::kMain, .segment = 0, .backend = 3}},
      {"t0_9_fsm.1",
       {.relation = 9, .fork = RelationFork::kFreeSpaceMap, .segment = 1, .backend = 0}},
      {"16384.32767",
       {.relation = 16384, .fork = RelationFork::kMain, .segment = 32767, .backend = {}}},
  };
  for (const auto& [text, file] : examples) {
    EXPECT_EQ(RelationFileName::parse(text), file) << text;
    EXPECT_EQ(file.to_string(), text);
  }
}

TEST(RelationFileName, OtherNamesAreNone) {
  for (const std::string_view text : {"",
                                      "0",
                                      "016384",
                                      "16384.",
                                      "16384.0",
                                      "16384.01",
                                      "16384.32768",
                                      "16384_",
                                      "16384_foo",
                                      "16384_fsmx",
                                      "4294967296",
                                      "99999999999999999999",
                                      "t_16384",
                                      "t3",
                                      "t3_",
                                      "t03_16384",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "16384.1.1",
                                      "pg_filenode.map",
                                      "16384_vm_fsm",
                                      "t-1_16384"}) {
    EXPECT_FALSE(RelationFileName::parse(text)) << text;
  }
}

TEST(RelationPath, NamesTheFileInTheDataDirectory) {
  const auto fork = [](uint32_t tablespace, uint32_t database) {
    return RelationForkTag{.relation = {{tablespace, database}, 16384},
                           .fork = RelationFork::kMain};
  };
  EXPECT_EQ(fork(1663, 5).path(), "base/5/16384");
  EXPECT_EQ(fork(1663, 5).path(2), "base/5/16384.2");
  EXPECT_EQ(fork(1664, 0).path(), "global/16384");
  EXPECT_EQ(fork(16400, 5).path(), "pg_tblspc/16400/PG_15_202209061/5/16384");
}

TEST(DatabaseTag, IsFoundInThePathsOfItsFiles) {
  for (const DatabaseTag tag : {DatabaseTag{kDefaultTablespace, 5}, DatabaseTag{16400, 17000},
                                DatabaseTag{kGlobalTablespace, 0}}) {
    EXPECT_EQ(DatabaseTag::of_path(tag.path()), tag) << tag.path();
    EXPECT_EQ(DatabaseTag::of_path(tag.path() + "/notes/more.txt"), tag) << tag.path();
  }
  for (const std::string_view path :
       {"", "base", "base/", "base/x/5", "base/05", "pg_xact/0000", "postgresql.conf", "based/5",
        "pg_tblspc/16400", "pg_tblspc/16400/5", "pg_tblspc/16400/PG_14_202107181/5",
        "pg_tblspc/x/PG_15_202209061/5"}) {
    EXPECT_FALSE(DatabaseTag::of_path(path)) << path;
  }
}

TEST(SlruSegmentName, HasAtLeastFourUpperCaseDigits) {
  EXPECT_EQ(slru_segment_name(0), "0000");
  EXPECT_EQ(slru_segment_name(0xABCDE), "ABCDE");
  EXPECT_EQ(parse_slru_segment_name("0A3F"), 0x0A3FU);
  EXPECT_EQ(parse_slru_segment_name("12345"), 0x12345U);
  for (const std::string_view text : {"", "000", "00012", "0a3f", "000G", "1234567", "0x12"}) {
    EXPECT_FALSE(parse_slru_segment_name(text)) << text;
  }
}

TEST(TwoPhaseFileName, IsEightUpperCaseDigits) {
  EXPECT_EQ(two_phase_file_name(725), "000002D5");
  EXPECT_EQ(parse_two_phase_file_name("000002D5"), 725U);
  for (const std::string_view text : {"", "2D5", "000002d5", "0000002D5", "0000 2D5"}) {
    EXPECT_FALSE(parse_two_phase_file_name(text)) << text;
  }
}

TEST(WalSegmentName, CountsSegmentsOfAnySize) {
  EXPECT_EQ(wal_segment_name(1, Lsn{0x1000000}, 16U << 20), "000000010000000000000001");
  EXPECT_EQ(wal_segment_name(2, Lsn{0x1FFFFFFFF}, 16U << 20), "0000000200000001000000FF");
  EXPECT_EQ(wal_segment_name(1, Lsn{0x1FFFFFFFF}, 1U << 20), "000000010000000100000FFF");
  EXPECT_EQ(wal_segment_name(10, Lsn{0x140000000}, 1U << 30), "0000000A0000000100000001");
}

}  // namespace
}  // namespace varve
