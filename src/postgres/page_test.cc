#include "postgres/page.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

Bytes patterned_page() {
  Bytes page(kBlockSize);
  for (size_t i = 0; i < page.size(); ++i) page[i] = static_cast<uint8_t>(i * 31 + (i >> 8) * 7);
  return page;
}

// As PageInit leaves it.
Bytes empty_page() {
  Bytes page(kBlockSize);
  store_little(&page[12], uint16_t{24});
  store_little(&page[14], uint16_t{kBlockSize});
  store_little(&page[16], uint16_t{kBlockSize});
  store_little(&page[18], uint16_t{kBlockSize | 4});
  return page;
}

// Expected values: pg_checksum_page of the server's own storage/checksum_impl.h.
TEST(Page, ChecksumsAreThoseOfPostgres) {
  const Bytes page = patterned_page();
  EXPECT_EQ(page_checksum(page, 0), 0x2DC4);
  EXPECT_EQ(page_checksum(page, 1), 0x2DC3);
  EXPECT_EQ(page_checksum(page, 131073), 0x2DC1);

  Bytes nearly_empty(kBlockSize);
  nearly_empty[15] = 0x20;
  EXPECT_EQ(page_checksum(nearly_empty, 7), 0x1F97);
  EXPECT_EQ(page_checksum(Bytes(kBlockSize, 0xFF), 4000000000U), 0x0BB2);
}

TEST(Page, TheStoredChecksumDoesNotCount) {
  Bytes page = patterned_page();
  const uint16_t before = page_checksum(page, 5);
  page[8] ^= 0x55;
  page[9] ^= 0xAA;
  EXPECT_EQ(page_checksum(page, 5), before);
}

TEST(Page, APageWithItsChecksumIsValid) {
  Bytes page = empty_page();
  set_page_checksum(page, 3);
  EXPECT_FALSE(page_defect(page, 3, PageChecksums::kEnabled));
}

TEST(Page, AnyChangedByteIsNoticed) {
  Bytes page = empty_page();
  set_page_checksum(page, 3);
  for (size_t i = 24; i < page.size(); i += 97) {
    page[i] ^= 1;
    EXPECT_TRUE(page_defect(page, 3, PageChecksums::kEnabled)) << "byte " << i;
    page[i] ^= 1;
  }
}

TEST(Page, APageInTheWrongPlaceIsNoticed) {
  Bytes page = empty_page();
  set_page_checksum(page, 3);
  EXPECT_TRUE(page_defect(page, 4, PageChecksums::kEnabled));
  EXPECT_FALSE(page_defect(page, 4, PageChecksums::kDisabled));
}

TEST(Page, ANewPageIsAllZeros) {
  Bytes page(kBlockSize);
  EXPECT_TRUE(page_is_new(page));
  EXPECT_FALSE(page_defect(page, 0, PageChecksums::kEnabled));
  set_page_checksum(page, 0);
  EXPECT_EQ(page, Bytes(kBlockSize)) << "a new page has no checksum";
  page.back() = 1;
  EXPECT_TRUE(page_defect(page, 0, PageChecksums::kDisabled));
}

TEST(Page, HeadersTheServerWouldRefuseAreRefused) {
  struct Damage {
    size_t offset;
    uint16_t value;
  };
  for (const auto& [offset, value] : {Damage{10, 0x0008}, Damage{12, 9000}, Damage{12, 8},
                                      Damage{14, 9000}, Damage{16, 8191}, Damage{16, 16384}}) {
    Bytes page = empty_page();
    ASSERT_FALSE(page_defect(page, 0, PageChecksums::kDisabled));
    store_little(&page[offset], value);
    EXPECT_TRUE(page_defect(page, 0, PageChecksums::kDisabled)) << offset << " = " << value;
  }
}

TEST(Page, TheLsnHasItsHighHalfFirst) {
  Bytes page(kBlockSize);
  store_little(&page[0], uint32_t{0x12});
  store_little(&page[4], uint32_t{0x3456789A});
  EXPECT_EQ(page_lsn(page).to_string(), "12/3456789A");
}

}  // namespace
}  // namespace varve
