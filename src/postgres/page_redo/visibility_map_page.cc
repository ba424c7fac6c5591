#include "postgres/page_redo/visibility_map_page.h"

#include <algorithm>

#include "base/bytes.h"
#include "postgres/page.h"

namespace varve {
namespace {

// PageInit of src/backend/storage/page/bufpage.c, of a page that is all zeros.
void initialise(std::span<uint8_t, kBlockSize> page) {
  constexpr uint16_t kLayoutVersion = 4;               // PG_PAGE_LAYOUT_VERSION
  store_little(&page[12], uint16_t{kPageHeaderSize});  // pd_lower
  store_little(&page[14], uint16_t{kBlockSize});       // pd_upper
  store_little(&page[16], uint16_t{kBlockSize});       // pd_special
  store_little(&page[18], static_cast<uint16_t>(kBlockSize | kLayoutVersion));
}

}  // namespace

uint32_t visibility_map_size_after_truncation(uint32_t heap_blocks) {
  return heap_blocks / kHeapBlocksPerMapPage + (heap_blocks % kHeapBlocksPerMapPage != 0 ? 1 : 0);
}

std::optional<uint32_t> visibility_map_page_to_clear(uint32_t heap_blocks) {
  if (heap_blocks % kHeapBlocksPerMapPage == 0) return std::nullopt;
  return heap_blocks / kHeapBlocksPerMapPage;
}

void redo_visibility_map_truncation(uint32_t heap_blocks, std::span<uint8_t, kBlockSize> page) {
  if (page_is_new(page)) initialise(page);
  const uint32_t kept = heap_blocks % kHeapBlocksPerMapPage;
  const std::span<uint8_t> map = page.subspan(kPageHeaderSize);
  const size_t cut = kept / kHeapBlocksPerMapByte;
  const uint32_t kept_bits = kept % kHeapBlocksPerMapByte * 2;
  map[cut] = static_cast<uint8_t>(map[cut] & ((1U << kept_bits) - 1));
  std::ranges::fill(map.subspan(cut + 1), uint8_t{0});
}

}  // namespace varve
