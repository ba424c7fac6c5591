// The header of a WAL page (src/include/access/xlog_internal.h, XLogPageHeaderData and
// XLogLongPageHeaderData). Every page of kWalBlockSize bytes begins with one.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/lsn.h"
#include "postgres/layout.h"

namespace varve {

inline constexpr uint32_t kShortWalPageHeaderSize = 24;  // SizeOfXLogShortPHD
inline constexpr uint32_t kLongWalPageHeaderSize = 40;   // SizeOfXLogLongPHD

// The first page of a segment has the long header.
constexpr uint32_t wal_page_header_size(Lsn page, uint32_t wal_segment_size) {
  return page.value % wal_segment_size == 0 ? kLongWalPageHeaderSize : kShortWalPageHeaderSize;
}

// The page that `position` lies on.
constexpr Lsn wal_page_of(Lsn position) {
  return {position.value - position.value % kWalBlockSize};
}

// Whether a record may start at `position`: a multiple of 8 behind a page header.
constexpr bool is_wal_record_position(Lsn position, uint32_t wal_segment_size) {
  return position.valid() && position.value % 8 == 0 &&
         position.value % kWalBlockSize >=
             wal_page_header_size(wal_page_of(position), wal_segment_size);
}

struct WalPageHeader {
  uint16_t magic = 0;
  uint16_t flags = 0;
  uint32_t timeline = 0;
  Lsn address;
  // Bytes that are still to come of the record that began on an earlier page.
  uint32_t remaining_length = 0;

  // Only a long header has these.
  uint64_t system_identifier = 0;
  uint32_t wal_segment_size = 0;
  uint32_t wal_block_size = 0;

  static constexpr uint16_t kFirstIsContinuation = 0x0001;  // XLP_FIRST_IS_CONTRECORD
  static constexpr uint16_t kLong = 0x0002;                 // XLP_LONG_HEADER
  static constexpr uint16_t kFirstIsOverwrite = 0x0008;     // XLP_FIRST_IS_OVERWRITE_CONTRECORD
  static constexpr uint16_t kAllFlags = 0x000F;             // XLP_ALL_FLAGS

  // From kShortWalPageHeaderSize or kLongWalPageHeaderSize bytes.
  static WalPageHeader load(ByteView bytes) {
    WalPageHeader header = {.magic = load_little<uint16_t>(&bytes[0]),
                            .flags = load_little<uint16_t>(&bytes[2]),
                            .timeline = load_little<uint32_t>(&bytes[4]),
                            .address = {load_little<uint64_t>(&bytes[8])},
                            .remaining_length = load_little<uint32_t>(&bytes[16])};
    if (bytes.size() >= kLongWalPageHeaderSize) {
      header.system_identifier = load_little<uint64_t>(&bytes[24]);
      header.wal_segment_size = load_little<uint32_t>(&bytes[32]);
      header.wal_block_size = load_little<uint32_t>(&bytes[36]);
    }
    return header;
  }
};

}  // namespace varve
