// The page that a WAL record carries (RestoreBlockImage in
// src/backend/access/transam/xlogreader.c).
#pragma once

#include <span>

#include "base/result.h"
#include "postgres/layout.h"
#include "postgres/wal/decoded_record.h"

namespace varve {

// Writes the image of `block` to `page`, as it was when the record was made: its LSN and checksum
// are those of an earlier time. Redo puts the end of the record in the place of the LSN, unless the
// page is a new one.
//
// Corrupted, naming the block, when the image cannot be decompressed; InvalidArgument when there is
// none.
Result<> restore_block_image(const BlockReference& block, std::span<uint8_t, kBlockSize> page);

}  // namespace varve
