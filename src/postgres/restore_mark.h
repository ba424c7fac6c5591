// What the WAL of a restored cluster begins with: which timeline it was restored from, and as of
// which LSN. Who sees it at the right place of a server's WAL knows that server's state before.
//
// It is a WAL record that means nothing to PostgreSQL (XLOG_NOOP of RM_XLOG_ID), in front of the
// checkpoint from which the cluster starts. Layout: docs/formats/restore-mark.md.
#pragma once

#include <optional>

#include "base/ids.h"
#include "postgres/wal/decoded_record.h"

namespace varve {

struct RestoreMark {
  TenantTimelineId timeline;
  Lsn lsn;

  static constexpr uint8_t kRecordType = 0x20;  // XLOG_NOOP
  // Of the main data of the record, bytes.
  static constexpr uint32_t kSize = 48;

  bool operator==(const RestoreMark&) const = default;

  Bytes encode() const;
  // None when the record is something else.
  static std::optional<RestoreMark> find(const DecodedRecord& record);
};

}  // namespace varve
