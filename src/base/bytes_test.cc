#include "base/bytes.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

TEST(Bytes, IntegersAreLittleEndianUnlessTheNameSaysSo) {
  std::array<uint8_t, 4> raw{};
  store_little<uint32_t>(raw.data(), 0x01020304);
  EXPECT_EQ(hex_encode(raw), "04030201");
  EXPECT_EQ(load_little<uint32_t>(raw.data()), 0x01020304U);
  store_big<uint32_t>(raw.data(), 0x01020304);
  EXPECT_EQ(hex_encode(raw), "01020304");
  EXPECT_EQ(load_big<uint32_t>(raw.data()), 0x01020304U);
  EXPECT_EQ(load_big<uint16_t>(raw.data()), 0x0102U);
}

TEST(Bytes, WhatIsWrittenIsReadBack) {
  const auto id = TenantId::parse("00112233445566778899aabbccddeeff").value();
  ByteWriter writer;
  writer.put(uint8_t{1});
  writer.put(uint64_t{0x1122334455667788});
  writer.put(Lsn{42});
  writer.put(id);
  writer.put_string("text");
  writer.put_zeros(3);
  EXPECT_EQ(writer.size(), 1U + 8 + 8 + 16 + 4 + 4 + 3);

  const Bytes bytes = std::move(writer).take();
  ByteReader reader(bytes, "record");
  uint8_t byte = 0;
  uint64_t wide = 0;
  Lsn lsn;
  TenantId read_id;
  std::string text;
  ASSERT_TRUE(reader.get(byte).ok());
  ASSERT_TRUE(reader.get(wide).ok());
  ASSERT_TRUE(reader.get(lsn).ok());
  ASSERT_TRUE(reader.get(read_id).ok());
  ASSERT_TRUE(reader.get_string(text).ok());
  EXPECT_EQ(byte, 1);
  EXPECT_EQ(wide, 0x1122334455667788U);
  EXPECT_EQ(lsn, Lsn{42});
  EXPECT_EQ(read_id, id);
  EXPECT_EQ(text, "text");
  EXPECT_EQ(reader.remaining(), 3U);
  EXPECT_TRUE(reader.finish().failed_with(ErrorCode::kCorrupted));
  ASSERT_TRUE(reader.take(3).ok());
  EXPECT_TRUE(reader.finish().ok());
}

TEST(ByteReader, NamesTheThingAndTheOffsetWhereItEndsTooSoon) {
  const Bytes bytes{1, 2, 3};
  ByteReader reader(bytes, "manifest");
  uint32_t value = 0;
  const auto failed = reader.get(value);
  ASSERT_TRUE(failed.failed_with(ErrorCode::kCorrupted));
  EXPECT_EQ(failed.error().message(), "manifest ends at byte 3: 1 more were expected");
  EXPECT_EQ(reader.offset(), 0U) << "a failed read consumes nothing";
}

TEST(ByteReader, ADamagedLengthIsNeverBelieved) {
  ByteWriter writer;
  writer.put(uint32_t{0xFFFFFFFF});
  writer.put(uint32_t{0});
  const Bytes bytes = std::move(writer).take();

  std::string text;
  EXPECT_TRUE(ByteReader(bytes, "x").get_string(text).failed_with(ErrorCode::kCorrupted));
  uint32_t count = 0;
  EXPECT_TRUE(ByteReader(bytes, "x").get_count(count, 1).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(ByteReader(bytes, "x").take(SIZE_MAX).failed_with(ErrorCode::kCorrupted));
}

TEST(ByteReader, ACountThatFitsIsTaken) {
  ByteWriter writer;
  writer.put(uint32_t{2});
  writer.put(uint64_t{0});
  const Bytes bytes = std::move(writer).take();
  uint32_t count = 0;
  EXPECT_TRUE(ByteReader(bytes, "x").get_count(count, 4).ok());
  EXPECT_EQ(count, 2U);
  EXPECT_TRUE(ByteReader(bytes, "x").get_count(count, 5).failed_with(ErrorCode::kCorrupted));
}

}  // namespace
}  // namespace varve
