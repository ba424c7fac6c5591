#include "base/checksum.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

// The check value of CRC-32/ISCSI in the CRC RevEng catalogue.
TEST(Crc32c, MatchesThePublishedCheckValue) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c({}), 0U);
}

// RFC 3720, appendix B.4.
TEST(Crc32c, MatchesTheExamplesOfIscsi) {
  EXPECT_EQ(crc32c(Bytes(32, 0x00)), 0x8A9136AAU);
  EXPECT_EQ(crc32c(Bytes(32, 0xFF)), 0x62A8AB43U);
  Bytes ascending(32);
  for (size_t i = 0; i < ascending.size(); ++i) ascending[i] = static_cast<uint8_t>(i);
  EXPECT_EQ(crc32c(ascending), 0x46DD794EU);
}

TEST(Crc32c, ContinuesAnEarlierResultAtAnyByte) {
  Bytes bytes(100);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7);
  const uint32_t whole = crc32c(bytes);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const ByteView view(bytes);
    EXPECT_EQ(crc32c(view.subspan(cut), crc32c(view.first(cut))), whole) << cut;
  }
}

// The empty input's hashes with seed 0, as xxHash's own sanity test has them.
TEST(Checksum, MatchesXxh3) {
  EXPECT_EQ(checksum64({}), 0x2D06800538D394C2U);
  EXPECT_EQ(checksum128({}).to_string(), "99aa06d3014798d86001c324468d497f");
}

TEST(Checksum128Stream, GivesTheSameAsTheWholeAtOnce) {
  Bytes bytes(10'000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i % 251);
  Checksum128Stream stream;
  EXPECT_EQ(stream.digest(), checksum128({}));
  for (size_t at = 0, size = 1; at < bytes.size(); at += size, size = size * 2 + 1) {
    size = std::min(size, bytes.size() - at);
    stream.update(ByteView(bytes).subspan(at, size));
  }
  EXPECT_EQ(stream.digest(), checksum128(bytes));
  Checksum128Stream moved(std::move(stream));
  moved.update(as_bytes("x"));
  EXPECT_NE(moved.digest(), checksum128(bytes));
}

}  // namespace
}  // namespace varve
