// The parts that every remote object shares: header, frames, frame tables, trailer.
// The layout, byte by byte, is in docs/formats/archive.md; change both together.
//
//   header | frames and frame tables of the members | manifest (zstd) | trailer
#pragma once

#include <vector>

#include "base/bytes.h"
#include "storage_sync/object_name.h"

namespace varve {

inline constexpr uint16_t kObjectFormatVersion = 1;
inline constexpr size_t kObjectHeaderSize = 32;
inline constexpr size_t kObjectTrailerSize = 64;

// Raw bytes of a frame, all but the last of a member: small enough that reading a page costs
// little, large enough to compress well.
inline constexpr size_t kFrameSize = 1 << 20;

// How many frames a member of `size` bytes has, and how many bytes one of them.
constexpr size_t frame_count(uint64_t size) {
  return (size + kFrameSize - 1) / kFrameSize;
}
constexpr size_t frame_raw_size(uint64_t size, size_t frame) {
  return std::min<uint64_t>(kFrameSize, size - frame * kFrameSize);
}

// Room for encryption (an algorithm and a key ID per object) is in the header and must be zero.
Bytes encode_object_header(ObjectKind kind);
Result<ObjectKind> decode_object_header(ByteView header);
// Corrupted also when it is that of another kind.
Result<> check_object_header(ByteView header, ObjectKind expected);

struct ObjectTrailer {
  ObjectKind kind = ObjectKind::kTimelineArchive;
  uint64_t object_size = 0;  // The whole object, trailer included.
  uint64_t manifest_offset = 0;
  uint32_t manifest_stored_size = 0;
  uint32_t manifest_raw_size = 0;
  uint64_t manifest_checksum = 0;  // XXH3-64 of the stored bytes.

  // Identifies the object with all it holds: the trailer covers the manifest, the manifest the
  // frame tables, and those the frames.
  uint64_t checksum() const;

  Bytes encode() const;
  // `bytes` is the last kObjectTrailerSize bytes of an object of `object_size` bytes.
  static Result<ObjectTrailer> decode(ByteView bytes, uint64_t object_size);
};

enum class FrameCodec : uint8_t { kStored = 0, kZstd = 1 };

struct Frame {
  uint64_t offset = 0;  // In the object.
  uint32_t stored_size = 0;
  uint32_t raw_size = 0;
  FrameCodec codec = FrameCodec::kStored;
  uint64_t checksum = 0;  // XXH3-64 of the stored bytes.
  bool operator==(const Frame&) const = default;
};

// The frames of one member, in order; only the last may be shorter than kFrameSize.
using FrameTable = std::vector<Frame>;
Bytes encode_frame_table(const FrameTable& table);
// Corrupted when the frames cannot be those of a member of `raw_size` bytes.
Result<FrameTable> decode_frame_table(ByteView bytes, uint64_t raw_size);
size_t frame_table_size(uint64_t raw_size);

}  // namespace varve
