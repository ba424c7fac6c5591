// A WAL record as it stands in a timeline: docs/formats/key-space.md.
#pragma once

#include <span>

#include "base/bytes.h"
#include "base/result.h"

namespace varve {

struct StoredRecord {
  // Whether changes of hint bits were logged where it was written: data checksums or wal_log_hints
  // (XLogHintBitIsNeeded() of src/include/access/xlog.h). What redo does to a page's LSN depends on
  // it.
  bool hint_bits_logged = false;
  // The record, xl_tot_len bytes from the XLogRecord on: as it was written, or without images
  // (wal/imageless_record.h).
  ByteView bytes;

  size_t encoded_size() const { return 1 + bytes.size(); }
  // Into as many bytes.
  void encode_to(std::span<uint8_t> out) const;
  Bytes encode() const;
  // Refers to `value`. Corrupted when that has no flags, or such as mean nothing here; whether the
  // rest is a record is not looked at.
  static Result<StoredRecord> parse(ByteView value);
};

}  // namespace varve
