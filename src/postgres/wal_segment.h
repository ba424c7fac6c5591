// The one WAL segment of a restored data directory, which holds the record of a shutdown
// checkpoint, as pg_resetwal leaves it, and before that the mark of the restore; and arithmetic on
// WAL positions.
//
// Facts: src/include/access/xlog_internal.h, xlogrecord.h, src/bin/pg_resetwal/pg_resetwal.c.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/lsn.h"
#include "postgres/control_file.h"
#include "postgres/restore_mark.h"

namespace varve {

// A power of two from 1 MiB to 1 GiB.
bool is_valid_wal_segment_size(uint32_t size);

// The file name of the segment that holds `lsn`: timeline and segment number, 24 hex digits.
std::string wal_segment_name(uint32_t timeline, Lsn lsn, uint32_t wal_segment_size);

// The first segment that begins above `lsn`: where the WAL of a cluster goes on that is restored as
// of it.
Lsn next_wal_segment(Lsn lsn, uint32_t wal_segment_size);
// Where in that segment the record of shutdown_checkpoint_page starts: after the long page header,
// and the mark if there is one.
Lsn next_segment_checkpoint(Lsn lsn, uint32_t wal_segment_size, bool is_marked);

struct ShutdownCheckpoint {
  uint64_t system_identifier = 0;
  uint32_t wal_segment_size = 0;
  std::optional<RestoreMark> mark;
  // From next_segment_checkpoint.
  Lsn lsn;
  // Its redo must be `lsn`, as for every shutdown checkpoint.
  CheckpointRecord checkpoint;
};

// The first page of the segment, kWalBlockSize bytes; the rest of the file is zeros.
Bytes shutdown_checkpoint_page(const ShutdownCheckpoint& shutdown);

// The LSN just after the shutdown checkpoint record that starts at `start`, as the server reports
// it (XLogReaderState::EndRecPtr): page headers that the record crosses and the alignment included.
// InvalidArgument when no record can start there.
Result<Lsn> checkpoint_record_end(Lsn start, uint32_t wal_segment_size);

}  // namespace varve
