// The messages inside the stream of a base backup, as bytes.
//
// Facts: src/backend/backup/basebackup_copy.c of PostgreSQL 15.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"

namespace varve {

// Data that follows is of the archive of this name.
struct ArchiveBegins {
  std::string_view name;
};
struct ArchiveData {
  ByteView bytes;
};
struct BackupProgress {
  uint64_t bytes = 0;
};
using BackupMessage = std::variant<ArchiveBegins, ArchiveData, BackupProgress>;

// Corrupted for anything else, among it the manifest, which is not asked for. What it gives refers
// to `message`.
Result<BackupMessage> parse_backup_message(ByteView message);

}  // namespace varve
