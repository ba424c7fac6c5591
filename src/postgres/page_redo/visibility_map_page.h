// Pages of the visibility map when its relation is truncated, of which the record refers to no
// block (visibilitymap_prepare_truncate of src/backend/access/heap/visibilitymap.c).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "postgres/layout.h"

namespace varve {

// How many pages of the map remain, if it has more, when the main fork ends before block
// `heap_blocks`.
uint32_t visibility_map_size_after_truncation(uint32_t heap_blocks);

// The page that remains, but of which a part is about blocks that are gone. Nothing when the cut
// lies between two pages, which are left as they are.
std::optional<uint32_t> visibility_map_page_to_clear(uint32_t heap_blocks);

// Clears this part of that page; a new page gets its header before. As in PostgreSQL, its LSN does
// not change.
void redo_visibility_map_truncation(uint32_t heap_blocks, std::span<uint8_t, kBlockSize> page);

}  // namespace varve
