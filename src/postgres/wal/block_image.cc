#include "postgres/wal/block_image.h"

#include <lz4.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>

#include "base/copy_bytes.h"
#include "postgres/wal/pglz.h"

namespace varve {
namespace {

bool decompress_lz4(ByteView compressed, std::span<uint8_t> raw) {
  const int size = LZ4_decompress_safe(
      reinterpret_cast<const char*>(compressed.data()), reinterpret_cast<char*>(raw.data()),
      static_cast<int>(compressed.size()), static_cast<int>(raw.size()));
  return size >= 0 && static_cast<size_t>(size) == raw.size();
}

bool decompress_zstd(ByteView compressed, std::span<uint8_t> raw) {
  // A context is 150 KB: making one takes longer than a page does.
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  thread_local const std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  if (!context) throw std::bad_alloc();
  const size_t size = ZSTD_decompressDCtx(context.get(), raw.data(), raw.size(), compressed.data(),
                                          compressed.size());
  return ZSTD_isError(size) == 0 && size == raw.size();
}

bool decompress(const BlockImage& image, std::span<uint8_t> raw) {
  switch (image.compression) {
    case ImageCompression::kPglz:
      return decompress_pglz(image.bytes, raw);
    case ImageCompression::kLz4:
      return decompress_lz4(image.bytes, raw);
    case ImageCompression::kZstd:
      return decompress_zstd(image.bytes, raw);
    case ImageCompression::kNone:
      break;
  }
  if (image.bytes.size() != raw.size()) return false;
  copy_bytes(image.bytes, raw);
  return true;
}

}  // namespace

Result<> restore_block_image(const BlockReference& block, std::span<uint8_t, kBlockSize> page) {
  if (!block.image) {
    return make_error(ErrorCode::kInvalidArgument, "there is no image of {} block {}",
                      block.fork.to_string(), block.block);
  }
  const BlockImage& image = *block.image;
  const size_t hole_end = size_t{image.hole_offset} + image.hole_length;
  // What lies around the hole is compressed as one; it is made at the end of the page, and what
  // belongs in front of the hole is moved there.
  if (hole_end > page.size() || !decompress(image, page.subspan(image.hole_length))) {
    return make_error(ErrorCode::kCorrupted, "the image of {} block {} is damaged",
                      block.fork.to_string(), block.block);
  }
  if (image.hole_length > 0) {
    std::copy_n(page.begin() + image.hole_length, image.hole_offset, page.begin());
    std::fill(page.begin() + image.hole_offset, page.begin() + hole_end, uint8_t{0});
  }
  return {};
}

}  // namespace varve
