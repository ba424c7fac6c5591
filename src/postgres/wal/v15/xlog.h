// Records of the resource manager XLOG (src/include/catalog/pg_control.h,
// access/xlog_internal.h).
#pragma once

#include <string_view>
#include <variant>

#include "base/clock.h"
#include "postgres/control_file.h"
#include "postgres/wal/decoded_record.h"

namespace varve::wal15 {

struct Checkpoint {
  enum class Kind : uint8_t { kShutdown, kOnline };
  Kind kind = Kind::kOnline;
  CheckpointRecord checkpoint;
};
// Every OID below this one may be in use.
struct NextOid {
  uint32_t oid = 0;
};
// The rest of the segment is empty.
struct SegmentSwitch {};
struct NoOperation {};
// The backup that began at `start` (a checkpoint's redo) is complete.
struct BackupEnd {
  Lsn start;
};
struct ParameterChange {
  ServerSettings settings;
};
struct RestorePoint {
  Timestamp time;
  std::string_view name;
};
struct FullPageWritesChange {
  bool full_page_writes = false;
};
struct EndOfRecovery {
  Timestamp time;
  uint32_t timeline = 0;
  uint32_t previous_timeline = 0;
};
// FPI and FPI_FOR_HINT: images of the blocks that the record refers to, and nothing else. One for
// hints changes nothing for whoever has the page; it may come without an image.
struct PageImages {
  bool for_hint = false;
};
// The record that begins at `overwritten` has no end.
struct OverwrittenRecord {
  Lsn overwritten;
  Timestamp time;
};

using XlogPayload =
    std::variant<Checkpoint, NextOid, SegmentSwitch, NoOperation, BackupEnd, ParameterChange,
                 RestorePoint, FullPageWritesChange, EndOfRecovery, PageImages, OverwrittenRecord>;

// Corrupted when the payload is damaged. As all parsers of this folder, it expects a record of its
// resource manager that identify_record knows.
Result<XlogPayload> parse_xlog(const DecodedRecord& record);

}  // namespace varve::wal15
