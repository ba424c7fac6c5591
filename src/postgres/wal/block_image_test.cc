#include "postgres/wal/block_image.h"

#include <gtest/gtest.h>

#include "base/checksum.h"
#include "postgres/page.h"
#include "postgres/test_support/golden_wal.h"
#include "postgres/wal/pglz.h"

namespace varve {
namespace {

using Page = std::array<uint8_t, kBlockSize>;

Result<Page> restore(const GoldenRecord& golden, size_t flipped_byte = 0) {
  Bytes bytes = golden.bytes;
  if (flipped_byte != 0) bytes[flipped_byte] ^= 0x10;
  DecodedRecord record;
  VARVE_TRY(record.decode({.start = golden.start, .end = golden.end, .bytes = bytes}));
  Page page;
  page.fill(0xEE);
  VARVE_TRY(restore_block_image(record.blocks()[0], page));
  return page;
}

// The same page of an index that was made under three settings of wal_compression. What is expected
// is the CRC of block 3 of the three files that the server wrote, without LSN and checksum.
TEST(BlockImage, IsThePageThatTheServerWroteHoweverItWasCompressed) {
  for (const GoldenRecord& golden :
       {pglz_image_record(), lz4_image_record(), zstd_image_record()}) {
    const auto page = restore(golden);
    ASSERT_TRUE(page.ok()) << page.error().message();
    EXPECT_EQ(crc32c(ByteView(*page).subspan(10)), 0x0552276AU);
    EXPECT_EQ(page_defect(*page, 3, PageChecksums::kDisabled), std::nullopt);
  }
}

TEST(BlockImage, TheHoleIsZero) {
  const auto page = restore(page_image_record());
  ASSERT_TRUE(page.ok());
  EXPECT_EQ((*page)[14] | (*page)[15] << 8, 8192) << "pd_upper";
  EXPECT_TRUE(std::all_of(page->begin() + 24, page->end(), [](uint8_t byte) { return byte == 0; }));
}

TEST(BlockImage, DamageIsFoundOrGivesSomePage) {
  for (const GoldenRecord& golden :
       {pglz_image_record(), lz4_image_record(), zstd_image_record()}) {
    size_t refused = 0;
    // Behind the record's header, the block's, and the block number.
    for (size_t byte = 51; byte < golden.bytes.size(); ++byte) {
      const auto page = restore(golden, byte);
      if (page.ok()) continue;
      ++refused;
      EXPECT_EQ(page.code(), ErrorCode::kCorrupted);
      EXPECT_NE(page.error().message().find("main block 3"), std::string::npos);
    }
    EXPECT_GT(refused, 100U);
  }
}

TEST(BlockImage, ABlockWithoutOneHasNone) {
  Page page;
  EXPECT_EQ(restore_block_image({}, page).code(), ErrorCode::kInvalidArgument);
}

std::string pglz(std::string_view compressed, size_t size) {
  Bytes raw(size);
  if (!decompress_pglz(as_bytes(compressed), raw)) return "damaged";
  return std::string(as_text(raw));
}

TEST(Pglz, CopiesLiteralsAndMatches) {
  EXPECT_EQ(pglz({"\0abc", 4}, 3), "abc");
  EXPECT_EQ(pglz({"\x08"
                  "abc\x00\x03",
                  6},
                 6),
            "abcabc");
  EXPECT_EQ(pglz({"\x02"
                  "a\x02\x01",
                  4},
                 6),
            "aaaaaa")
      << "a match may overlap with what it makes";
  EXPECT_EQ(pglz({"\x02"
                  "a\x0F\x01\x05",
                  5},
                 24),
            std::string(24, 'a'))
      << "a long match has a third byte";
}

TEST(Pglz, AMatchEndsWithThePage) {
  EXPECT_EQ(pglz({"\x02"
                  "a\x0F\x01\xFF",
                  5},
                 10),
            std::string(10, 'a'));
}

TEST(Pglz, RefusesWhatDoesNotFit) {
  EXPECT_EQ(pglz({"\0abc", 4}, 4), "damaged") << "too little";
  EXPECT_EQ(pglz({"\0abc", 4}, 2), "damaged") << "too much";
  EXPECT_EQ(pglz({"\x02"
                  "a\x02\x02",
                  4},
                 6),
            "damaged")
      << "a match before the start";
  EXPECT_EQ(pglz({"\x02"
                  "a\x02\x00",
                  4},
                 6),
            "damaged")
      << "a match of itself";
  EXPECT_EQ(pglz({"\x02"
                  "a\x02",
                  3},
                 6),
            "damaged")
      << "half a match";
  EXPECT_EQ(pglz({"\x02"
                  "a\x0F\x01",
                  4},
                 24),
            "damaged")
      << "the third byte lacks";
  EXPECT_EQ(pglz("", 1), "damaged");
  EXPECT_EQ(pglz("", 0), "");
}

}  // namespace
}  // namespace varve
