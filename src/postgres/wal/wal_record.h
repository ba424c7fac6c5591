// A record of the WAL as it lies in the stream, and its header (src/include/access/xlogrecord.h,
// XLogRecord).
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/lsn.h"

namespace varve {

inline constexpr uint32_t kWalRecordHeaderSize = 24;  // SizeOfXLogRecord
inline constexpr size_t kWalRecordCrcOffset = 20;     // offsetof(XLogRecord, xl_crc)

// One complete record whose CRC was right.
struct WalRecord {
  Lsn start;
  // Where PostgreSQL says that it ends (XLogReaderState::EndRecPtr), which is the LSN that it puts
  // into the pages that the record changes: aligned; the start of the next page, without its
  // header, when the record fills its page; the end of the segment for XLOG_SWITCH.
  Lsn end;
  // All of it, the header included, without the page headers that it crosses.
  ByteView bytes;
};

// RM_XLOG_ID of src/include/access/rmgrlist.h.
inline constexpr uint8_t kXlogResourceManager = 0;

struct WalRecordHeader {
  uint32_t total_length = 0;
  uint32_t transaction = 0;
  // Where the record before it starts.
  Lsn previous;
  // The high four bits belong to the resource manager.
  uint8_t info = 0;
  uint8_t resource_manager = 0;
  uint32_t crc = 0;

  // From the first kWalRecordHeaderSize bytes of a record.
  static WalRecordHeader load(ByteView bytes) {
    return {.total_length = load_little<uint32_t>(&bytes[0]),
            .transaction = load_little<uint32_t>(&bytes[4]),
            .previous = {load_little<uint64_t>(&bytes[8])},
            .info = bytes[16],
            .resource_manager = bytes[17],
            .crc = load_little<uint32_t>(&bytes[kWalRecordCrcOffset])};
  }

  // What the resource manager knows the record by.
  uint8_t record_type() const { return info & 0xF0; }  // XLR_RMGR_INFO_MASK
};

// The CRC that stands in the header of a record: it covers what follows the header, and then the
// header up to the CRC itself. At least kWalRecordHeaderSize bytes.
uint32_t wal_record_crc(ByteView record);

}  // namespace varve
