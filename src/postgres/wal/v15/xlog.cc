#include "postgres/wal/v15/xlog.h"

#include "postgres/wal/payload_reader.h"

namespace varve::wal15 {
namespace {

// src/include/catalog/pg_control.h.
enum RecordType : uint8_t {
  kCheckpointShutdown = 0x00,
  kCheckpointOnline = 0x10,
  kNoOperation = 0x20,
  kNextOid = 0x30,
  kSwitch = 0x40,
  kBackupEnd = 0x50,
  kParameterChange = 0x60,
  kRestorePoint = 0x70,
  kFullPageWritesChange = 0x80,
  kEndOfRecovery = 0x90,
  kPageImageForHint = 0xA0,
  kPageImage = 0xB0,
  kOverwriteContrecord = 0xD0,
};

constexpr size_t kRestorePointNameSize = 64;  // MAXFNAMELEN

Result<XlogPayload> parse_checkpoint(const DecodedRecord& record, Checkpoint::Kind kind) {
  auto checkpoint = CheckpointRecord::parse(record.main_data());
  if (!checkpoint.ok()) {
    return checkpoint.error().context(fmt::format("the WAL record at {}", record.start()));
  }
  return Checkpoint{.kind = kind, .checkpoint = *checkpoint};
}

// xl_parameter_change.
ParameterChange take_parameter_change(PayloadReader& reader) {
  ServerSettings settings;
  settings.max_connections = reader.take<uint32_t>();
  settings.max_worker_processes = reader.take<uint32_t>();
  settings.max_wal_senders = reader.take<uint32_t>();
  settings.max_prepared_transactions = reader.take<uint32_t>();
  settings.max_locks_per_transaction = reader.take<uint32_t>();
  const auto level = reader.take<uint32_t>();
  if (level > static_cast<uint32_t>(WalLevel::kLogical)) reader.fail();
  settings.wal_level = static_cast<WalLevel>(level);
  settings.wal_log_hints = reader.take_bool();
  settings.track_commit_timestamp = reader.take_bool();
  reader.take<uint16_t>();  // Padding at the end of the struct.
  return {settings};
}

// xl_restore_point.
RestorePoint take_restore_point(PayloadReader& reader) {
  const Timestamp time = reader.take_time();
  const std::string_view field = as_text(reader.take_bytes(kRestorePointNameSize));
  const size_t length = field.find('\0');
  if (length == std::string_view::npos) reader.fail();
  return {.time = time, .name = field.substr(0, length)};
}

}  // namespace

Result<XlogPayload> parse_xlog(const DecodedRecord& record) {
  PayloadReader reader(record);
  XlogPayload payload;
  switch (record.header().record_type()) {
    case kCheckpointShutdown:
      return parse_checkpoint(record, Checkpoint::Kind::kShutdown);
    case kCheckpointOnline:
      return parse_checkpoint(record, Checkpoint::Kind::kOnline);
    case kNoOperation:
      // Nobody writes one today; its data, if any, mean nothing.
      return NoOperation{};
    case kNextOid:
      payload = NextOid{reader.take<uint32_t>()};
      break;
    case kSwitch:
      payload = SegmentSwitch{};
      break;
    case kBackupEnd:
      payload = BackupEnd{reader.take_lsn()};
      break;
    case kParameterChange:
      payload = take_parameter_change(reader);
      break;
    case kRestorePoint:
      payload = take_restore_point(reader);
      break;
    case kFullPageWritesChange:
      payload = FullPageWritesChange{reader.take_bool()};
      break;
    case kEndOfRecovery: {
      EndOfRecovery end{.time = reader.take_time()};
      end.timeline = reader.take<uint32_t>();
      end.previous_timeline = reader.take<uint32_t>();
      payload = end;
      break;
    }
    case kPageImageForHint:
    case kPageImage:
      payload = PageImages{.for_hint = record.header().record_type() == kPageImageForHint};
      break;
    case kOverwriteContrecord: {
      OverwrittenRecord overwritten{.overwritten = reader.take_lsn()};
      overwritten.time = reader.take_time();
      payload = overwritten;
      break;
    }
    default:
      reader.fail();
  }
  VARVE_TRY(reader.finish("XLOG"));
  return payload;
}

}  // namespace varve::wal15
