// What a WAL record consists of: its header, the blocks that it changes, and the payload of its
// resource manager (src/include/access/xlogrecord.h; the rules are those of DecodeXLogRecord in
// src/backend/access/transam/xlogreader.c).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "postgres/layout.h"
#include "postgres/wal/wal_format.h"
#include "postgres/wal/wal_record.h"

namespace varve {

enum class ImageCompression : uint8_t { kNone, kPglz, kLz4, kZstd };

// The content of a page as a record carries it. What pages have free in their middle, the hole, is
// left out: it is all zeros.
struct BlockImage {
  ByteView bytes;
  ImageCompression compression = ImageCompression::kNone;
  uint16_t hole_offset = 0;
  uint16_t hole_length = 0;
  // Redo puts the image in the place of the page. An image that is not applied is there only to
  // check what redo made (wal_consistency_checking): the page before is needed all the same.
  bool apply = false;
};

struct BlockReference {
  // The number by which the resource manager knows it: rising, but not without gaps.
  uint8_t id = 0;
  RelationForkTag fork;
  uint32_t block = 0;
  // Redo makes the page anew and does not look at what was there (BKPBLOCK_WILL_INIT).
  bool will_init = false;
  std::optional<BlockImage> image;
  ByteView data;
};

// Holds one record at a time and allocates nothing: made once and used for every record. All views
// are into the bytes of the record it was last given. Not thread-safe.
class DecodedRecord {
 public:
  // XLR_MAX_BLOCK_ID + 1.
  static constexpr size_t kMaximumBlocks = 33;

  // Takes apart a record of a WalStreamDecoder. Corrupted, naming the record's LSN, when its parts
  // do not fit together; this object then holds nothing of use.
  Result<> decode(const WalRecord& record, const WalFormat& format = wal_format_15());

  Lsn start() const { return record_.start; }
  // The LSN of the pages that the record changed: see WalRecord::end.
  Lsn end() const { return record_.end; }
  ByteView bytes() const { return record_.bytes; }
  const WalRecordHeader& header() const { return header_; }

  // By ascending ID.
  std::span<const BlockReference> blocks() const { return {blocks_.data(), block_count_}; }
  // The one with this ID; null when there is none.
  const BlockReference* find_block(uint8_t id) const;

  // What the resource manager wrote that belongs to no block.
  ByteView main_data() const { return main_data_; }

  // The node that a replicated transaction came from (RepOriginId); 0: this one.
  uint16_t origin() const { return origin_; }
  // Of a subtransaction's first record with wal_level = logical; 0: not given.
  uint32_t top_level_transaction() const { return top_level_transaction_; }

 private:
  WalRecord record_;
  WalRecordHeader header_;
  std::array<BlockReference, kMaximumBlocks> blocks_;
  size_t block_count_ = 0;
  ByteView main_data_;
  uint16_t origin_ = 0;
  uint32_t top_level_transaction_ = 0;
};

}  // namespace varve
