// PostgreSQL's own compression. The format: src/common/pg_lzcompress.c.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace varve {

// Fills `raw` from `compressed`, and uses up both exactly. False, with anything in `raw`, when that
// is not possible: the bytes are damaged.
bool decompress_pglz(ByteView compressed, std::span<uint8_t> raw);

}  // namespace varve
