#include "postgres/wal/pglz.h"

#include <algorithm>

namespace varve {
namespace {

constexpr size_t kItemsPerControlByte = 8;
constexpr size_t kShortestMatch = 3;
// A match of this length has a third byte, which says how much longer it is.
constexpr size_t kLongestShortMatch = 18;

}  // namespace

bool decompress_pglz(ByteView compressed, std::span<uint8_t> raw) {
  size_t from = 0;
  size_t to = 0;
  while (from < compressed.size() && to < raw.size()) {
    // Of the items that follow, which are matches, the least significant bit first.
    uint8_t control = compressed[from++];
    for (size_t item = 0; item < kItemsPerControlByte; ++item, control >>= 1) {
      if (from == compressed.size() || to == raw.size()) break;
      if ((control & 1) == 0) {
        raw[to++] = compressed[from++];
        continue;
      }
      // 4 bits of the offset, 4 of the length, 8 more of the offset.
      if (compressed.size() - from < 2) return false;
      size_t length = (compressed[from] & 0x0FU) + kShortestMatch;
      const size_t offset = ((compressed[from] & 0xF0U) << 4) | compressed[from + 1];
      from += 2;
      if (length == kLongestShortMatch) {
        if (from == compressed.size()) return false;
        length += compressed[from++];
      }
      if (offset == 0 || offset > to) return false;
      // What is copied may overlap with what it makes, and then repeats itself.
      for (length = std::min(length, raw.size() - to); length > 0; --length, ++to) {
        raw[to] = raw[to - offset];
      }
    }
  }
  return from == compressed.size() && to == raw.size();
}

}  // namespace varve
