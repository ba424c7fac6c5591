#include "storage_sync/frame_codec.h"

#include <gtest/gtest.h>

#include "base/checksum.h"
#include "base/random.h"

namespace varve {
namespace {

Bytes noise(size_t size) {
  SeededRandom random(7);
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<uint8_t>(random.next());
  return bytes;
}

Frame frame_of(const EncodedFrame& encoded) {
  return {.offset = 32,
          .stored_size = static_cast<uint32_t>(encoded.stored.size()),
          .raw_size = encoded.raw_size,
          .codec = encoded.codec,
          .checksum = encoded.checksum};
}

TEST(FrameCodec, WhatShrinksIsCompressedAndWhatDoesNotIsStored) {
  const EncodedFrame zeros = encode_frame(Bytes(10'000), 3).value();
  EXPECT_EQ(zeros.codec, FrameCodec::kZstd);
  EXPECT_LT(zeros.stored.size(), 100U);
  const EncodedFrame random = encode_frame(noise(10'000), 3).value();
  EXPECT_EQ(random.codec, FrameCodec::kStored);
  EXPECT_EQ(random.stored, noise(10'000));
}

TEST(FrameCodec, FramesComeBackAsTheyWere) {
  for (const Bytes& raw : {Bytes(1), Bytes(kFrameSize), noise(1), noise(kFrameSize)}) {
    const EncodedFrame encoded = encode_frame(raw, 3).value();
    Bytes decoded(raw.size());
    ASSERT_TRUE(decode_frame(frame_of(encoded), encoded.stored, decoded).ok());
    EXPECT_EQ(decoded, raw);
  }
}

TEST(FrameCodec, EveryFlippedByteIsCorruptedAndNamesTheFrame) {
  for (const Bytes& raw : {Bytes(500), noise(500)}) {
    const EncodedFrame encoded = encode_frame(raw, 3).value();
    Bytes decoded(raw.size());
    for (size_t at = 0; at < encoded.stored.size(); ++at) {
      Bytes damaged = encoded.stored;
      damaged[at] ^= 1;
      const auto result = decode_frame(frame_of(encoded), damaged, decoded);
      ASSERT_TRUE(result.failed_with(ErrorCode::kCorrupted)) << at;
      EXPECT_NE(result.error().message().find("frame at byte 32"), std::string::npos);
    }
  }
}

TEST(FrameCodec, BytesThatDoNotFitTheFrameAreCorruptedThoughTheChecksumMatches) {
  const EncodedFrame encoded = encode_frame(Bytes(500), 3).value();
  const auto decode = [&](Frame frame, ByteView stored, size_t raw_size) {
    frame.checksum = checksum64(stored);
    Bytes decoded(raw_size);
    return decode_frame(frame, stored, decoded);
  };
  Frame frame = frame_of(encoded);
  EXPECT_TRUE(decode(frame, encoded.stored, 500).ok());
  EXPECT_TRUE(
      decode(frame, ByteView(encoded.stored).first(5), 500).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(decode(frame, encoded.stored, 499).failed_with(ErrorCode::kCorrupted));
  frame.raw_size = 499;
  EXPECT_TRUE(decode(frame, encoded.stored, 499).failed_with(ErrorCode::kCorrupted));
  frame.raw_size = 501;
  EXPECT_TRUE(decode(frame, encoded.stored, 501).failed_with(ErrorCode::kCorrupted));
  frame.codec = FrameCodec::kStored;
  EXPECT_TRUE(decode(frame, encoded.stored, 501).failed_with(ErrorCode::kCorrupted));
}

}  // namespace
}  // namespace varve
