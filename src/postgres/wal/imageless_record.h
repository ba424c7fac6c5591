// WAL records without the images of the blocks that they change.
#pragma once

#include "postgres/wal/decoded_record.h"

namespace varve {

// Whether the redo of a block that has no image in the record is the same when the others have none
// either. With PostgreSQL 15 it is so for heaps and B-trees; some records of other kinds are
// refused where an image is missing that they always have (ginRedoSplit(), hash_xlog_split_page()).
bool may_lack_images(const WalRecordHeader& header);

// The record as it would be had no image been taken: with a length and a CRC that fit. `record` is
// one that was decoded.
Bytes without_images(const DecodedRecord& record);

}  // namespace varve
