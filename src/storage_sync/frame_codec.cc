#include "storage_sync/frame_codec.h"

#include <zstd.h>

#include "base/checksum.h"

namespace varve {
namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// A context is costly to set up and is kept per thread, as zstd.h advises.
ZSTD_CCtx* compression_context() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  return context.get();
}

ZSTD_DCtx* decompression_context() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  return context.get();
}

Result<> decompress_into(ByteView stored, std::span<uint8_t> raw) {
  const size_t size = ZSTD_decompressDCtx(decompression_context(), raw.data(), raw.size(),
                                          stored.data(), stored.size());
  if (ZSTD_isError(size) != 0U) {
    return make_error(ErrorCode::kCorrupted, "zstd: {}", ZSTD_getErrorName(size));
  }
  if (size != raw.size()) {
    return make_error(ErrorCode::kCorrupted, "zstd gave {} bytes where {} were expected", size,
                      raw.size());
  }
  return {};
}

}  // namespace

Result<Bytes> zstd_compress(ByteView raw, int level) {
  // The bound is larger than the input: setting up so much memory for each call costs more than
  // copying the result out of it.
  thread_local Bytes room;
  room.resize(std::max(room.size(), ZSTD_compressBound(raw.size())));
  const size_t size = ZSTD_compressCCtx(compression_context(), room.data(), room.size(), raw.data(),
                                        raw.size(), level);
  if (ZSTD_isError(size) != 0U) {
    return make_error(ErrorCode::kInternal, "zstd: {}", ZSTD_getErrorName(size));
  }
  return Bytes(room.begin(), room.begin() + static_cast<ptrdiff_t>(size));
}

Result<Bytes> zstd_decompress(ByteView stored, size_t raw_size) {
  Bytes raw(raw_size);
  VARVE_TRY(decompress_into(stored, raw));
  return raw;
}

Result<EncodedFrame> encode_frame(Bytes raw, int level) {
  EncodedFrame frame;
  frame.raw_size = static_cast<uint32_t>(raw.size());
  VARVE_ASSIGN(Bytes compressed, zstd_compress(raw, level));
  if (compressed.size() < raw.size()) {
    frame.codec = FrameCodec::kZstd;
    frame.stored = std::move(compressed);
  } else {
    frame.codec = FrameCodec::kStored;
    frame.stored = std::move(raw);
  }
  frame.checksum = checksum64(frame.stored);
  return frame;
}

Result<> check_frame(const Frame& frame, ByteView stored) {
  if (stored.size() != frame.stored_size) {
    return make_error(ErrorCode::kCorrupted, "frame at byte {}: {} bytes where {} were expected",
                      frame.offset, stored.size(), frame.stored_size);
  }
  if (checksum64(stored) != frame.checksum) {
    return make_error(ErrorCode::kCorrupted, "frame at byte {}: its checksum does not match",
                      frame.offset);
  }
  return {};
}

Result<> decode_frame(const Frame& frame, ByteView stored, std::span<uint8_t> raw) {
  VARVE_TRY(check_frame(frame, stored));
  if (raw.size() != frame.raw_size) {
    return make_error(ErrorCode::kCorrupted, "frame at byte {}: room for {} bytes where it has {}",
                      frame.offset, raw.size(), frame.raw_size);
  }
  if (frame.codec == FrameCodec::kZstd) {
    return decompress_into(stored, raw).context(fmt::format("frame at byte {}", frame.offset));
  }
  if (stored.size() != raw.size()) {
    return make_error(ErrorCode::kCorrupted, "frame at byte {}: stored and raw size differ",
                      frame.offset);
  }
  if (!raw.empty()) std::memcpy(raw.data(), stored.data(), raw.size());
  return {};
}

}  // namespace varve
