#include "postgres/wal/imageless_record.h"

#include <gtest/gtest.h>

#include "postgres/test_support/golden_wal.h"
#include "postgres/test_support/wal_writer.h"

namespace varve {
namespace {

constexpr size_t kImageSize = 8000;

// Three blocks of two relations, of which the first has an image and data, as a heap update that
// moved a row between pages has; with all that a record may have besides.
Bytes record_with_images(bool with_images) {
  const auto put_block = [&](ByteWriter& parts, uint8_t id, uint8_t flags, uint16_t data) {
    parts.put(id);
    parts.put(static_cast<uint8_t>(with_images ? flags : flags & ~0x10));
    parts.put(data);
    if (with_images && (flags & 0x10) != 0) {
      parts.put(static_cast<uint16_t>(kImageSize));
      parts.put(uint16_t{100});
      parts.put(uint8_t{0x03});
    }
    if ((flags & 0x80) == 0) {
      parts.put(uint32_t{1663});
      parts.put(uint32_t{5});
      parts.put(uint32_t{16384U + id});
    }
    parts.put(uint32_t{7});
  };
  const auto put_image = [&](ByteWriter& parts) {
    if (with_images) parts.put_zeros(kImageSize);
  };
  ByteWriter parts;
  put_block(parts, 0, 0x10 | 0x20, 3);
  put_block(parts, 1, 0x80 | 0x40, 0);
  put_block(parts, 2, 0x10, 0);
  parts.put(uint8_t{253});
  parts.put(uint16_t{9});
  parts.put(uint8_t{252});
  parts.put(uint32_t{1234});
  parts.put(uint8_t{254});
  parts.put(uint32_t{300});
  put_image(parts);
  parts.put_raw(as_bytes("abc"));
  put_image(parts);
  for (int i = 0; i < 300; ++i) parts.put(static_cast<uint8_t>(i));
  return WalWriter::make_record({}, Lsn{0x1000028}, parts.view());
}

DecodedRecord decode(const WalRecord& record) {
  DecodedRecord decoded;
  EXPECT_TRUE(decoded.decode(record).ok());
  return decoded;
}

TEST(ImagelessRecord, IsTheRecordThatWouldHaveBeenWrittenWithoutImages) {
  const Bytes full = record_with_images(true);
  const DecodedRecord record = decode({.start = {0x1000090}, .end = {0x1005000}, .bytes = full});
  EXPECT_EQ(record.blocks()[0].image->bytes.size(), kImageSize);
  EXPECT_EQ(without_images(record), record_with_images(false));
}

TEST(ImagelessRecord, RecordsOfPostgresWithoutImagesStayAsTheyAre) {
  for (const GoldenRecord& golden :
       {checkpoint_record(), switch_record(), commit_record(), replicated_commit_record(),
        prepare_with_everything(), heap_insert_record(), heap_delete_record(),
        heap_hot_update_record(), heap_multi_insert_record(), visible_record(), spgist_record()}) {
    EXPECT_EQ(without_images(decode(golden.record())), golden.bytes) << golden.start.to_string();
  }
}

TEST(ImagelessRecord, AnImageOfPostgresIsLeftOut) {
  const GoldenRecord golden = lz4_image_record();
  const Bytes bytes = without_images(decode(golden.record()));
  EXPECT_LT(bytes.size(), 100U);
  const DecodedRecord smaller = decode({.start = golden.start, .end = golden.end, .bytes = bytes});
  EXPECT_FALSE(smaller.blocks()[0].image);
  EXPECT_EQ(smaller.header().crc, wal_record_crc(bytes));
}

TEST(ImagelessRecord, NotOfKindsWhoseRedoInsistsOnImages) {
  EXPECT_TRUE(may_lack_images(decode(heap_insert_record().record()).header()));
  EXPECT_FALSE(may_lack_images(decode(spgist_record().record()).header()));
}

}  // namespace
}  // namespace varve
