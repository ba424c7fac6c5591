// A base backup of a running primary, as a stream of files.
//
// Facts: https://www.postgresql.org/docs/15/protocol-replication.html (BASE_BACKUP),
// src/backend/backup/basebackup.c, basebackup_copy.c
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "replication/replication_connection.h"
#include "replication/tar_reader.h"

namespace varve {

// What one archive holds: the data directory, or what a tablespace outside of it has.
struct BackupTablespace {
  // None for the data directory.
  std::optional<uint32_t> oid;
  // Where the server has it; pg_tblspc/<oid> of the data directory is a link to there.
  std::string location;
  // An estimate.
  uint64_t size_bytes = 0;
};

struct BackupStart {
  // Where recovery has to begin: the redo LSN of the backup's checkpoint.
  Lsn start;
  uint32_t timeline = 0;
  // The data directory is among them.
  std::vector<BackupTablespace> tablespaces;

  uint64_t estimated_bytes() const;
};

struct BackupEnd {
  // With the WAL from the start up to here the files are consistent.
  Lsn stop;
  uint32_t timeline = 0;
};

// Who gets the files. An error ends the backup.
class BaseBackupSink : public TarSink {
 public:
  // Before everything else.
  virtual Result<> begin_backup(const BackupStart& start) = 0;
  // Entries that follow are of this tablespace, with paths relative to it.
  virtual Result<> begin_tablespace(const BackupTablespace& tablespace) = 0;
  // From time to time: how much was sent, in the bytes that estimated_bytes() counts.
  virtual void progress(uint64_t bytes) = 0;
};

struct BaseBackupOptions {
  std::string label = "varve";
  // Whether the server makes its checkpoint at once, or at leisure.
  bool fast_checkpoint = true;
};

// Without WAL: who wants to use the files streams it from the start LSN on, with a slot that was
// created before. Without a manifest. Files that the server leaves out, such as those of unlogged
// relations, are not in it, and backup_label is. Errors as for ReplicationConnection; the
// connection may only be used again after success.
Result<BackupEnd> take_base_backup(ReplicationConnection& connection,
                                   const BaseBackupOptions& options, BaseBackupSink& sink,
                                   const CallOptions& call);

}  // namespace varve
