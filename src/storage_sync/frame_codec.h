// Compressing and checking single frames and manifests. Stateless for the caller; thread-safe.
#pragma once

#include "base/bytes.h"
#include "storage_sync/object_format.h"

namespace varve {

struct EncodedFrame {
  FrameCodec codec = FrameCodec::kStored;
  uint32_t raw_size = 0;
  uint64_t checksum = 0;  // XXH3-64 of `stored`.
  Bytes stored;
};

// zstd at `level`, or stored as it is where that is not smaller.
Result<EncodedFrame> encode_frame(Bytes raw, int level);

// Corrupted when `stored` is not what the frame's checksum says.
Result<> check_frame(const Frame& frame, ByteView stored);

// Checks `stored` against the frame's checksum, then writes its raw bytes to `raw`, which has
// frame.raw_size bytes. Corrupted when either does not fit.
Result<> decode_frame(const Frame& frame, ByteView stored, std::span<uint8_t> raw);

// A whole small buffer, such as a manifest.
Result<Bytes> zstd_compress(ByteView raw, int level);
Result<Bytes> zstd_decompress(ByteView stored, size_t raw_size);

}  // namespace varve
