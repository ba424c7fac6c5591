// The fixed parts of remote objects: header, trailer, frame table, and a frame.
#include <algorithm>

#include "expect.h"
#include "storage_sync/frame_codec.h"
#include "storage_sync/object_format.h"

namespace varve {
namespace {

void look_at_header(ByteView bytes) {
  const auto kind = decode_object_header(bytes);
  if (kind.ok()) expect(std::ranges::equal(encode_object_header(*kind), bytes));
}

void look_at_trailer(ByteView bytes) {
  const uint64_t size = bytes.size() < sizeof(uint64_t) ? 0 : load_little<uint64_t>(bytes.data());
  const auto trailer = ObjectTrailer::decode(bytes, size);
  if (!trailer.ok()) return;
  expect(std::ranges::equal(trailer->encode(), bytes));
  expect(trailer->manifest_offset + trailer->manifest_stored_size + kObjectTrailerSize == size);
}

void look_at_frame_table(ByteView bytes) {
  if (bytes.size() < sizeof(uint32_t)) return;
  const uint64_t raw_size = load_little<uint32_t>(bytes.data());
  const ByteView encoded = bytes.subspan(sizeof(uint32_t));
  const auto table = decode_frame_table(encoded, raw_size);
  if (!table.ok()) return;
  expect(encoded.size() == frame_table_size(raw_size));
  expect(std::ranges::equal(encode_frame_table(*table), encoded));
}

void look_at_frame(ByteView stored) {
  Bytes raw(1000);
  const Frame frame{.offset = 32,
                    .stored_size = static_cast<uint32_t>(stored.size()),
                    .raw_size = static_cast<uint32_t>(raw.size()),
                    .codec = FrameCodec::kZstd,
                    .checksum = checksum64(stored)};
  std::ignore = decode_frame(frame, stored, raw);
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const varve::ByteView bytes(data, size);
  varve::with_right_checksum(bytes, 24, varve::look_at_header);
  varve::with_right_checksum(bytes, 48, varve::look_at_trailer);
  varve::look_at_frame_table(bytes);
  varve::look_at_frame(bytes);
  return 0;
}
