#include "storage_sync/object_format.h"

#include <gtest/gtest.h>

#include "base/checksum.h"

namespace varve {
namespace {

constexpr uint64_t kObjectSize = 1000;

ObjectTrailer example_trailer() {
  return {.kind = ObjectKind::kPack,
          .object_size = kObjectSize,
          .manifest_offset = 700,
          .manifest_stored_size = kObjectSize - kObjectTrailerSize - 700,
          .manifest_raw_size = 900,
          .manifest_checksum = 0x0123456789ABCDEF};
}

FrameTable example_table() {
  return {{.offset = 32,
           .stored_size = 1000,
           .raw_size = kFrameSize,
           .codec = FrameCodec::kZstd,
           .checksum = 1},
          {.offset = 1032, .stored_size = 17, .raw_size = 17, .checksum = 2}};
}
constexpr uint64_t kTableRawSize = kFrameSize + 17;

// Gives `decode` every damaged form of `good`: one byte changed, or cut off or extended.
void expect_every_damage_is_noticed(const Bytes& good,
                                    const std::function<bool(ByteView)>& decode) {
  ASSERT_TRUE(decode(good));
  for (size_t at = 0; at < good.size(); ++at) {
    for (const uint8_t mask : {0x01, 0x80, 0xFF}) {
      Bytes damaged = good;
      damaged[at] ^= mask;
      EXPECT_FALSE(decode(damaged)) << "byte " << at << ", mask " << int{mask};
    }
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode(ByteView(good).first(size))) << "cut to " << size;
  }
  Bytes extended = good;
  extended.push_back(0);
  EXPECT_FALSE(decode(extended)) << "extended";
}

// Whether it is right; anything but Corrupted fails the test.
template <typename T>
bool is_intact(const Result<T>& decoded) {
  EXPECT_TRUE(decoded.ok() || decoded.code() == ErrorCode::kCorrupted);
  return decoded.ok();
}

// Rewrites the header's checksum, as someone who forges it would.
Bytes with_checksum(Bytes header) {
  store_little(header.data() + 24, checksum64(ByteView(header).first(24)));
  return header;
}

TEST(ObjectHeader, SaysWhatKindOfObjectItIs) {
  for (const auto kind :
       {ObjectKind::kTenantArchive, ObjectKind::kTimelineArchive, ObjectKind::kPack}) {
    const Bytes header = encode_object_header(kind);
    EXPECT_EQ(header.size(), kObjectHeaderSize);
    EXPECT_EQ(decode_object_header(header).value(), kind);
  }
}

TEST(ObjectHeader, EveryDamageIsCorrupted) {
  expect_every_damage_is_noticed(
      encode_object_header(ObjectKind::kTimelineArchive),
      [](ByteView bytes) { return is_intact(decode_object_header(bytes)); });
}

TEST(ObjectHeader, AnotherVersionKindOrAnEncryptionIsNamedAndRefused) {
  const auto error_with = [](size_t at, uint8_t value) {
    Bytes header = encode_object_header(ObjectKind::kPack);
    header[at] = value;
    return decode_object_header(with_checksum(header)).error().message();
  };
  EXPECT_NE(error_with(8, 2).find("version 2"), std::string::npos);
  EXPECT_NE(error_with(10, 9).find("kind 9"), std::string::npos);
  EXPECT_NE(error_with(11, 1).find("encrypted"), std::string::npos);
  EXPECT_NE(error_with(12, 1).find("encrypted"), std::string::npos);
  EXPECT_NE(error_with(23, 1).find("encrypted"), std::string::npos);
}

TEST(ObjectTrailer, IsReadBackAsWritten) {
  const ObjectTrailer trailer = example_trailer();
  const Bytes encoded = trailer.encode();
  EXPECT_EQ(encoded.size(), kObjectTrailerSize);
  const ObjectTrailer decoded = ObjectTrailer::decode(encoded, kObjectSize).value();
  EXPECT_EQ(decoded.kind, trailer.kind);
  EXPECT_EQ(decoded.manifest_offset, trailer.manifest_offset);
  EXPECT_EQ(decoded.manifest_stored_size, trailer.manifest_stored_size);
  EXPECT_EQ(decoded.manifest_raw_size, trailer.manifest_raw_size);
  EXPECT_EQ(decoded.manifest_checksum, trailer.manifest_checksum);
  EXPECT_EQ(decoded.checksum(), trailer.checksum());
}

TEST(ObjectTrailer, EveryDamageIsCorrupted) {
  expect_every_damage_is_noticed(example_trailer().encode(), [](ByteView bytes) {
    return is_intact(ObjectTrailer::decode(bytes, kObjectSize));
  });
}

TEST(ObjectTrailer, ReservedBytesThatAreNotZerosAreRefused) {
  Bytes trailer = example_trailer().encode();
  trailer[47] = 1;
  store_little(trailer.data() + 48, checksum64(ByteView(trailer).first(48)));
  EXPECT_TRUE(ObjectTrailer::decode(trailer, kObjectSize).failed_with(ErrorCode::kCorrupted));
}

TEST(ObjectTrailer, AnObjectOfAnotherSizeWasCutOff) {
  for (const uint64_t size : {uint64_t{0}, uint64_t{64}, kObjectSize - 1, kObjectSize + 1}) {
    EXPECT_TRUE(
        ObjectTrailer::decode(example_trailer().encode(), size).failed_with(ErrorCode::kCorrupted));
  }
}

TEST(ObjectTrailer, AManifestOutsideOfTheObjectIsCorrupted) {
  const auto decode = [](uint64_t object_size, uint64_t offset, uint64_t stored_size) {
    ObjectTrailer trailer = example_trailer();
    trailer.object_size = object_size;
    trailer.manifest_offset = offset;
    trailer.manifest_stored_size = static_cast<uint32_t>(stored_size);
    return ObjectTrailer::decode(trailer.encode(), object_size);
  };
  EXPECT_TRUE(decode(1000, 32, 904).ok());
  EXPECT_TRUE(decode(1000, 31, 905).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(decode(1000, 937, 0).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(decode(1000, 32, 903).failed_with(ErrorCode::kCorrupted));
  // An object too small for header and trailer: the sums must not wrap around.
  EXPECT_TRUE(decode(10, uint64_t{0} - 100, 46).failed_with(ErrorCode::kCorrupted));
}

TEST(FrameTable, IsReadBackAsWritten) {
  const FrameTable table = example_table();
  const Bytes encoded = encode_frame_table(table);
  EXPECT_EQ(encoded.size(), frame_table_size(kTableRawSize));
  EXPECT_EQ(decode_frame_table(encoded, kTableRawSize).value(), table);
  EXPECT_EQ(decode_frame_table(encode_frame_table({}), 0).value(), FrameTable());
}

TEST(FrameTable, TruncatedOrExtendedItIsCorrupted) {
  Bytes encoded = encode_frame_table(example_table());
  for (size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_TRUE(decode_frame_table(ByteView(encoded).first(size), kTableRawSize)
                    .failed_with(ErrorCode::kCorrupted))
        << size;
  }
  encoded.push_back(0);
  EXPECT_TRUE(decode_frame_table(encoded, kTableRawSize).failed_with(ErrorCode::kCorrupted));
}

TEST(FrameTable, AFrameThatCannotBeIsCorrupted) {
  const auto decode = [](const std::function<void(FrameTable&)>& change) {
    FrameTable table = example_table();
    change(table);
    return decode_frame_table(encode_frame_table(table), kTableRawSize);
  };
  EXPECT_TRUE(decode([](FrameTable&) {}).ok());
  const std::vector<std::function<void(FrameTable&)>> changes = {
      [](FrameTable& t) { t[0].raw_size -= 1; },
      [](FrameTable& t) { t[1].raw_size += 1; },
      [](FrameTable& t) { t[1].raw_size = 0; },
      [](FrameTable& t) { t[0].stored_size = 0; },
      [](FrameTable& t) { t[1].stored_size = 18; },
      [](FrameTable& t) { t[0].codec = static_cast<FrameCodec>(2); },
      [](FrameTable& t) { t[0].offset = kObjectHeaderSize - 1; },
      [](FrameTable& t) { t[1].offset = UINT64_MAX - 1; },
      [](FrameTable& t) { t.pop_back(); },
      [](FrameTable& t) { t.push_back(t.back()); },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    EXPECT_TRUE(decode(changes[i]).failed_with(ErrorCode::kCorrupted)) << "change " << i;
  }
  EXPECT_TRUE(decode_frame_table(encode_frame_table(example_table()), kTableRawSize - 1)
                  .failed_with(ErrorCode::kCorrupted));
}

}  // namespace
}  // namespace varve
