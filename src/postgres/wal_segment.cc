#include "postgres/wal_segment.h"

#include <fmt/format.h>

#include <bit>

#include "base/checksum.h"
#include "postgres/layout.h"

namespace varve {
namespace {

constexpr uint16_t kPageMagic = 0xD110;       // XLOG_PAGE_MAGIC of PostgreSQL 15
constexpr uint16_t kLongHeaderFlag = 0x0002;  // XLP_LONG_HEADER
constexpr uint32_t kShortHeaderSize = 24;     // SizeOfXLogShortPHD
constexpr uint32_t kLongHeaderSize = 40;      // SizeOfXLogLongPHD
constexpr uint32_t kRecordHeaderSize = 24;    // SizeOfXLogRecord
constexpr size_t kRecordCrc = 20;             // offsetof(XLogRecord, xl_crc)
constexpr uint8_t kShortDataId = 255;         // XLR_BLOCK_ID_DATA_SHORT
constexpr uint32_t kShortDataHeaderSize = 2;
constexpr uint8_t kCheckpointShutdown = 0x00;  // XLOG_CHECKPOINT_SHUTDOWN
constexpr uint8_t kXlogResourceManager = 0;    // RM_XLOG_ID

constexpr uint32_t kRecordSize = kRecordHeaderSize + kShortDataHeaderSize + kCheckpointSize;
static_assert(kCheckpointSize < 256, "the short form of the data header holds it");

uint32_t page_header_size(uint64_t page_start, uint32_t wal_segment_size) {
  return page_start % wal_segment_size == 0 ? kLongHeaderSize : kShortHeaderSize;
}

Bytes checkpoint_record(const CheckpointRecord& checkpoint) {
  ByteWriter record;
  record.put(kRecordSize);
  record.put(uint32_t{0});  // xl_xid: belongs to no transaction.
  record.put(uint64_t{0});  // xl_prev: there is no earlier record.
  record.put(kCheckpointShutdown);
  record.put(kXlogResourceManager);
  record.put(uint16_t{0});
  record.put(uint32_t{0});  // xl_crc, filled in below.
  record.put(kShortDataId);
  record.put(static_cast<uint8_t>(kCheckpointSize));
  record.put_raw(checkpoint.encode());

  Bytes bytes = std::move(record).take();
  // The CRC covers what follows the record's header, then the header up to the CRC itself.
  const ByteView view = bytes;
  const uint32_t data_crc = crc32c(view.subspan(kRecordHeaderSize));
  store_little(&bytes[kRecordCrc], crc32c(view.first(kRecordCrc), data_crc));
  return bytes;
}

}  // namespace

bool is_valid_wal_segment_size(uint32_t size) {
  return std::has_single_bit(size) && size >= kMinimumWalSegmentSize &&
         size <= kMaximumWalSegmentSize;
}

std::string wal_segment_name(uint32_t timeline, Lsn lsn, uint32_t wal_segment_size) {
  const uint64_t segment = lsn.value / wal_segment_size;
  const uint64_t segments_per_high_half = (uint64_t{1} << 32) / wal_segment_size;
  return fmt::format("{:08X}{:08X}{:08X}", timeline, segment / segments_per_high_half,
                     segment % segments_per_high_half);
}

Lsn next_segment_checkpoint(Lsn lsn, uint32_t wal_segment_size) {
  return {(lsn.value / wal_segment_size + 1) * wal_segment_size + kLongHeaderSize};
}

Bytes shutdown_checkpoint_page(const ShutdownCheckpoint& shutdown) {
  ByteWriter page;
  page.put(kPageMagic);
  page.put(kLongHeaderFlag);
  page.put(shutdown.checkpoint.timeline);
  page.put(shutdown.lsn.value - kLongHeaderSize);
  page.put(uint32_t{0});  // xlp_rem_len: no record is continued from before.
  page.put(uint32_t{0});
  page.put(shutdown.system_identifier);
  page.put(shutdown.wal_segment_size);
  page.put(kWalBlockSize);
  page.put_raw(checkpoint_record(shutdown.checkpoint));
  page.put_zeros(kWalBlockSize - page.size());
  return std::move(page).take();
}

Result<Lsn> checkpoint_record_end(Lsn start, uint32_t wal_segment_size) {
  uint64_t position = start.value;
  const uint64_t in_page = position % kWalBlockSize;
  const uint64_t page_start = position - in_page;
  if (!start.valid() || position != align_maximally(position) ||
      in_page < page_header_size(page_start, wal_segment_size)) {
    return make_error(ErrorCode::kInvalidArgument, "no WAL record can start at {}", start);
  }
  const uint64_t left_on_page = kWalBlockSize - in_page;
  const uint64_t size = align_maximally(kRecordSize);
  position += size;
  if (size > left_on_page) {
    position += page_header_size(page_start + kWalBlockSize, wal_segment_size);
  }
  return Lsn{position};
}

}  // namespace varve
