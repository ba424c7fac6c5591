// Files with a checksum of their own: relation maps and two-phase files.
#include <gtest/gtest.h>

#include "base/checksum.h"
#include "postgres/relation_map.h"
#include "postgres/test_support/golden_files.h"
#include "postgres/two_phase_file.h"

namespace varve {
namespace {

TEST(TwoPhaseFile, AcceptsWhatTheServerWrote) {
  const auto checked = check_two_phase_file(two_phase_file(), 725);
  EXPECT_TRUE(checked.ok()) << checked.error().message();
}

TEST(TwoPhaseFile, RefusesDamage) {
  EXPECT_TRUE(check_two_phase_file(two_phase_file(), 726).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(check_two_phase_file({}, 725).failed_with(ErrorCode::kCorrupted));
  const Bytes intact = two_phase_file();
  for (size_t i = 0; i < intact.size(); ++i) {
    Bytes damaged = intact;
    damaged[i] ^= 0x10;
    EXPECT_TRUE(check_two_phase_file(damaged, 725).failed_with(ErrorCode::kCorrupted)) << i;
    EXPECT_TRUE(
        check_two_phase_file(ByteView(intact).first(i), 725).failed_with(ErrorCode::kCorrupted))
        << i;
  }
}

TEST(TwoPhaseFile, IsThatOfADatabase) {
  EXPECT_EQ(two_phase_file_database(two_phase_file()), 5U);
}

Bytes relation_map(uint32_t mappings) {
  Bytes file(kRelationMapSize);
  store_little(&file[0], uint32_t{0x592717});
  store_little(&file[4], mappings);
  for (size_t i = 8; i < 504; ++i) file[i] = static_cast<uint8_t>(i);
  store_little(&file[504], crc32c(ByteView(file).first(504)));
  return file;
}

TEST(RelationMap, AcceptsAnIntactMap) {
  EXPECT_TRUE(check_relation_map(relation_map(62)).ok());
}

TEST(RelationMap, GivesTheFilesOfACatalog) {
  Bytes file = relation_map(2);
  store_little(&file[16], uint32_t{1262});
  store_little(&file[20], uint32_t{16500});
  store_little(&file[24], uint32_t{1260});
  store_little(&file[504], crc32c(ByteView(file).first(504)));
  EXPECT_EQ(*mapped_relation(file, 1262), 16500U);
  EXPECT_TRUE(mapped_relation(file, 1260).failed_with(ErrorCode::kCorrupted)) << "behind the last";
  file[20] ^= 1;
  EXPECT_TRUE(mapped_relation(file, 1262).failed_with(ErrorCode::kCorrupted));
}

TEST(RelationMap, RefusesDamage) {
  EXPECT_TRUE(check_relation_map(relation_map(63)).failed_with(ErrorCode::kCorrupted));
  const Bytes intact = relation_map(17);
  EXPECT_TRUE(check_relation_map(ByteView(intact).first(511)).failed_with(ErrorCode::kCorrupted));
  for (size_t i = 0; i < 508; ++i) {
    Bytes damaged = intact;
    damaged[i] ^= 0x80;
    EXPECT_TRUE(check_relation_map(damaged).failed_with(ErrorCode::kCorrupted)) << i;
  }
}

}  // namespace
}  // namespace varve
