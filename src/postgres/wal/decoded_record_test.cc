#include "postgres/wal/decoded_record.h"

#include <gtest/gtest.h>

#include "postgres/test_support/golden_wal.h"
#include "postgres/test_support/wal_writer.h"

namespace varve {
namespace {

// The header of a block reference with the relation 1663/5/16384 and block 7.
struct BlockHeader {
  uint8_t id = 0;
  uint8_t flags = 0;
  uint16_t data_length = 0;
  struct Image {
    uint16_t length = 0;
    uint16_t hole_offset = 0;
    uint8_t flags = 0;
    std::optional<uint16_t> hole_length;
  };
  std::optional<Image> image;

  void put(ByteWriter& parts) const {
    parts.put(id);
    parts.put(flags);
    parts.put(data_length);
    if (image) {
      parts.put(image->length);
      parts.put(image->hole_offset);
      parts.put(image->flags);
      if (image->hole_length) parts.put(*image->hole_length);
    }
    if ((flags & 0x80) == 0) {
      parts.put(uint32_t{1663});
      parts.put(uint32_t{5});
      parts.put(uint32_t{16384});
    }
    parts.put(uint32_t{7});
  }
};

struct Decoded {
  Bytes bytes;
  DecodedRecord record;
  Result<> result;
};
std::unique_ptr<Decoded> decode(ByteView parts) {
  auto decoded = std::make_unique<Decoded>();
  decoded->bytes = WalWriter::make_record({}, Lsn{0x1000028}, parts);
  decoded->result =
      decoded->record.decode({.start = {0x1000090}, .end = {0x1000100}, .bytes = decoded->bytes});
  return decoded;
}
// What is wrong with a record of one block reference and `data` bytes; empty: nothing.
std::string defect(const BlockHeader& header, size_t data) {
  ByteWriter parts;
  header.put(parts);
  parts.put_zeros(data);
  const auto decoded = decode(parts.view());
  if (decoded->result.ok()) return {};
  EXPECT_EQ(decoded->result.code(), ErrorCode::kCorrupted);
  EXPECT_NE(decoded->result.error().message().find("0/1000090"), std::string::npos);
  return decoded->result.error().message();
}

TEST(DecodedRecord, OfPostgresHasItsBlocksInOrder) {
  const GoldenRecord golden = spgist_record();
  DecodedRecord record;
  ASSERT_TRUE(record.decode(golden.record()).ok());
  EXPECT_EQ(record.start().to_string(), "0/2C407E0");
  EXPECT_EQ(record.header().resource_manager, 16);
  EXPECT_EQ(record.header().transaction, 737U);
  ASSERT_EQ(record.blocks().size(), 3U);
  EXPECT_EQ(record.blocks()[0].fork.to_string(), "relation 1663/16384/16408 main");
  EXPECT_EQ(record.blocks()[0].block, 23U);
  EXPECT_EQ(record.blocks()[1].fork.to_string(), "relation 1663/16384/16408 main");
  EXPECT_EQ(record.blocks()[1].block, 51U);
  EXPECT_EQ(record.find_block(2), &record.blocks()[2]);
  EXPECT_EQ(record.find_block(2)->block, 5U);
  EXPECT_EQ(record.find_block(3), nullptr);
  EXPECT_FALSE(record.blocks()[0].image);
  EXPECT_GT(record.main_data().size(), 2000U);
}

TEST(DecodedRecord, OfPostgresHasItsImage) {
  const GoldenRecord golden = lz4_image_record();
  DecodedRecord record;
  ASSERT_TRUE(record.decode(golden.record()).ok());
  ASSERT_EQ(record.blocks().size(), 1U);
  const BlockReference& block = record.blocks()[0];
  ASSERT_TRUE(block.image);
  EXPECT_EQ(block.image->compression, ImageCompression::kLz4);
  EXPECT_TRUE(block.image->apply);
  EXPECT_EQ(block.image->hole_offset, 228);
  EXPECT_EQ(block.image->hole_length, 2364);
  EXPECT_EQ(block.image->bytes.size(), 8192U - 2364U - 3184U);
  EXPECT_TRUE(block.data.empty());
  EXPECT_TRUE(record.main_data().empty());
}

TEST(DecodedRecord, OfAReplicatedTransactionHasItsOrigin) {
  const GoldenRecord golden = replicated_commit_record();
  DecodedRecord record;
  ASSERT_TRUE(record.decode(golden.record()).ok());
  EXPECT_EQ(record.origin(), 1);
  EXPECT_EQ(record.top_level_transaction(), 0U);
}

TEST(DecodedRecord, PartsOfAllKinds) {
  ByteWriter parts;
  BlockHeader{.id = 0, .flags = 0x20, .data_length = 3}.put(parts);
  BlockHeader{.id = 2, .flags = 0x80 | 0x40 | 0x02}.put(parts);
  BlockHeader{.id = 32,
              .flags = 0x80 | 0x20 | 0x10,
              .data_length = 1,
              .image = {{.length = 8000, .hole_offset = 100, .flags = 0x01}}}
      .put(parts);
  parts.put(uint8_t{253});
  parts.put(uint16_t{9});
  parts.put(uint8_t{252});
  parts.put(uint32_t{1234});
  parts.put(uint8_t{255});
  parts.put(uint8_t{2});
  parts.put_raw(as_bytes("abc"));
  parts.put_zeros(8000);
  parts.put_raw(as_bytes("dmn"));
  const auto decoded = decode(parts.view());
  ASSERT_TRUE(decoded->result.ok()) << decoded->result.error().message();
  const DecodedRecord& record = decoded->record;
  ASSERT_EQ(record.blocks().size(), 3U);
  EXPECT_EQ(as_text(record.find_block(0)->data), "abc");
  EXPECT_FALSE(record.find_block(0)->will_init);
  EXPECT_TRUE(record.find_block(2)->will_init);
  EXPECT_EQ(record.find_block(2)->fork.to_string(), "relation 1663/5/16384 vm");
  EXPECT_EQ(record.find_block(32)->fork.to_string(), "relation 1663/5/16384 main");
  EXPECT_FALSE(record.find_block(32)->image->apply);
  EXPECT_EQ(record.find_block(32)->image->hole_length, 192);
  EXPECT_EQ(as_text(record.find_block(32)->data), "d");
  EXPECT_EQ(as_text(record.main_data()), "mn");
  EXPECT_EQ(record.origin(), 9);
  EXPECT_EQ(record.top_level_transaction(), 1234U);
}

TEST(DecodedRecord, LongMainData) {
  const auto decoded = decode(WalWriter::main_data(Bytes(300, 7)));
  ASSERT_TRUE(decoded->result.ok());
  EXPECT_EQ(decoded->record.main_data().size(), 300U);
}

TEST(DecodedRecord, NothingOfTheRecordBeforeIsLeft) {
  const GoldenRecord image = lz4_image_record();
  const GoldenRecord commit = replicated_commit_record();
  const GoldenRecord segment_switch = switch_record();
  DecodedRecord record;
  ASSERT_TRUE(record.decode(image.record()).ok());
  ASSERT_TRUE(record.decode(commit.record()).ok());
  ASSERT_TRUE(record.decode(segment_switch.record()).ok());
  EXPECT_TRUE(record.blocks().empty());
  EXPECT_TRUE(record.main_data().empty());
  EXPECT_EQ(record.origin(), 0);
}

TEST(DecodedRecord, FlagsAndLengthsOfABlockMustAgree) {
  EXPECT_EQ(defect({}, 0), "");
  EXPECT_EQ(defect({.flags = 0x20, .data_length = 3}, 3), "");
  EXPECT_NE(defect({.flags = 0x20}, 0), "");
  EXPECT_NE(defect({.data_length = 3}, 3), "");
  EXPECT_NE(defect({.flags = 0x20, .data_length = 3}, 2), "");
  EXPECT_NE(defect({.flags = 0x20, .data_length = 3}, 4), "");
  EXPECT_NE(defect({.flags = 0x04}, 0), "") << "there is no fork 4";
  EXPECT_NE(defect({.flags = 0x80}, 0), "") << "the same relation as none";
  EXPECT_NE(defect({.id = 33}, 0), "");
  EXPECT_NE(defect({.id = 251}, 0), "");
}

TEST(DecodedRecord, BlockReferencesRise) {
  for (const uint8_t second : {uint8_t{0}, uint8_t{1}}) {
    ByteWriter parts;
    BlockHeader{.id = 1}.put(parts);
    BlockHeader{.id = second}.put(parts);
    EXPECT_FALSE(decode(parts.view())->result.ok());
  }
}

TEST(DecodedRecord, AnImageAndItsHoleMakeAPage) {
  constexpr uint8_t kHole = 0x01;
  constexpr uint8_t kLz4 = 0x08;
  const auto image_defect = [](uint16_t length, uint16_t offset, uint8_t flags,
                               std::optional<uint16_t> hole = {}) {
    return defect(
        {.flags = 0x10,
         .image = {{.length = length, .hole_offset = offset, .flags = flags, .hole_length = hole}}},
        length);
  };
  EXPECT_EQ(image_defect(8192, 0, 0), "");
  EXPECT_EQ(image_defect(8000, 100, kHole), "");
  EXPECT_EQ(image_defect(500, 0, kLz4), "");
  EXPECT_EQ(image_defect(500, 24, kLz4 | kHole, 8168), "");
  EXPECT_NE(image_defect(8191, 0, 0), "") << "neither compressed nor with a hole";
  EXPECT_NE(image_defect(8192, 0, kHole), "");
  EXPECT_NE(image_defect(8000, 0, kHole), "") << "a hole never starts a page";
  EXPECT_NE(image_defect(8192, 100, 0), "");
  EXPECT_NE(image_defect(9000, 100, kHole), "") << "longer than a page";
  EXPECT_NE(image_defect(60'000, 0, 0), "");
  EXPECT_NE(image_defect(100, 200, kHole), "") << "the hole ends behind the page";
  EXPECT_NE(image_defect(8192, 0, kLz4), "");
  EXPECT_NE(image_defect(500, 24, kLz4 | kHole, 0), "");
  EXPECT_NE(image_defect(500, 25, kLz4 | kHole, 8168), "");
  EXPECT_NE(image_defect(500, 0, kLz4 | 0x04), "") << "two methods";
  EXPECT_NE(image_defect(8192, 0, 0x20), "") << "an unknown flag";
}

TEST(DecodedRecord, ARecordCutAnywhereIsDamaged) {
  const Bytes whole = pglz_image_record().bytes;
  DecodedRecord record;
  for (size_t size = 0; size < 200; ++size) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    if (size >= 4) store_little(cut.data(), static_cast<uint32_t>(size));
    const auto result = record.decode({.start = Lsn{0x1000090}, .end = {}, .bytes = cut});
    // A header alone is a record without parts.
    EXPECT_EQ(result.ok(), size == kWalRecordHeaderSize) << size;
  }
}

}  // namespace
}  // namespace varve
