#include "postgres/wal_segment.h"

#include <fmt/format.h>

#include <bit>

#include "postgres/layout.h"
#include "postgres/wal/wal_format.h"
#include "postgres/wal/wal_page.h"
#include "postgres/wal/wal_record.h"

namespace varve {
namespace {

constexpr uint8_t kShortDataId = 255;  // XLR_BLOCK_ID_DATA_SHORT
constexpr uint32_t kShortDataHeaderSize = 2;
constexpr uint8_t kCheckpointShutdown = 0x00;  // XLOG_CHECKPOINT_SHUTDOWN

// Of a record of main data only, in its short form, with the padding behind it.
constexpr uint32_t record_size(uint32_t data_size) {
  return static_cast<uint32_t>(
      align_maximally(kWalRecordHeaderSize + kShortDataHeaderSize + data_size));
}
constexpr uint32_t kCheckpointRecordSize = record_size(kCheckpointSize);
constexpr uint32_t kMarkRecordSize = record_size(RestoreMark::kSize);
static_assert(kCheckpointSize < 256 && RestoreMark::kSize < 256, "the short form holds them");

// Of no transaction. `previous` is invalid for the first record.
Bytes xlog_record(uint8_t type, Lsn previous, ByteView data) {
  ByteWriter record;
  record.put(static_cast<uint32_t>(kWalRecordHeaderSize + kShortDataHeaderSize + data.size()));
  record.put(uint32_t{0});  // xl_xid
  record.put(previous);
  record.put(type);
  record.put(kXlogResourceManager);
  record.put(uint16_t{0});
  record.put(uint32_t{0});  // xl_crc, filled in below.
  record.put(kShortDataId);
  record.put(static_cast<uint8_t>(data.size()));
  record.put_raw(data);

  Bytes bytes = std::move(record).take();
  store_little(&bytes[kWalRecordCrcOffset], wal_record_crc(bytes));
  bytes.resize(align_maximally(bytes.size()));
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

Lsn next_wal_segment(Lsn lsn, uint32_t wal_segment_size) {
  return {(lsn.value / wal_segment_size + 1) * wal_segment_size};
}

Lsn next_segment_checkpoint(Lsn lsn, uint32_t wal_segment_size, bool is_marked) {
  return {next_wal_segment(lsn, wal_segment_size).value + kLongWalPageHeaderSize +
          (is_marked ? kMarkRecordSize : 0)};
}

Bytes shutdown_checkpoint_page(const ShutdownCheckpoint& shutdown) {
  const Lsn start = wal_page_of(shutdown.lsn);
  ByteWriter page;
  page.put(wal_format_15().page_magic);
  page.put(WalPageHeader::kLong);
  page.put(shutdown.checkpoint.timeline);
  page.put(start);
  page.put(uint32_t{0});  // xlp_rem_len: no record is continued from before.
  page.put(uint32_t{0});
  page.put(shutdown.system_identifier);
  page.put(shutdown.wal_segment_size);
  page.put(kWalBlockSize);
  Lsn previous;
  if (shutdown.mark) {
    previous = {start.value + page.size()};
    page.put_raw(xlog_record(RestoreMark::kRecordType, {}, shutdown.mark->encode()));
  }
  page.put_raw(xlog_record(kCheckpointShutdown, previous, shutdown.checkpoint.encode()));
  page.put_zeros(kWalBlockSize - page.size());
  return std::move(page).take();
}

Result<Lsn> checkpoint_record_end(Lsn start, uint32_t wal_segment_size) {
  uint64_t position = start.value;
  if (!is_wal_record_position(start, wal_segment_size)) {
    return make_error(ErrorCode::kInvalidArgument, "no WAL record can start at {}", start);
  }
  const Lsn page = wal_page_of(start);
  const uint64_t left_on_page = kWalBlockSize - (position - page.value);
  position += kCheckpointRecordSize;
  if (kCheckpointRecordSize > left_on_page) {
    position += wal_page_header_size({page.value + kWalBlockSize}, wal_segment_size);
  }
  return Lsn{position};
}

}  // namespace varve
