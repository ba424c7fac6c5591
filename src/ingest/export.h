// Export: the state of a cluster at an LSN becomes a data directory that PostgreSQL 15 starts on.
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/lsn.h"
#include "base/result.h"
#include "fs/system_user.h"
#include "ingest/progress.h"
#include "layer/version_source.h"

namespace varve {

struct TablespaceMapping {
  // The OID of the tablespace, or the directory it had at the source.
  std::string tablespace;
  // An absolute path, absent or an empty directory.
  std::filesystem::path location;
};

struct ExportOptions {
  // Who owns everything that is written; the user `postgres` by default. Applies only when the
  // process runs as root, since PostgreSQL refuses a data directory that is not its own.
  std::optional<SystemUser> owner;
  // Tablespaces not listed become directories inside pg_tblspc.
  std::vector<TablespaceMapping> tablespaces;
  // The names of those databases that are restored, beside the shared catalogs and the databases of
  // the system; all when there are none. The others are empty, and marked so that a server refuses
  // connections to them and drops them. Their prepared transactions are left out, and so count as
  // rolled back.
  std::vector<std::string> databases;
  // Leaves the source's configuration as it was, with its archiving, replication and subscriptions.
  bool keep_config = false;
  // What the cluster's WAL says that it was restored from, so that its server can go on with that
  // timeline; none: nothing.
  std::optional<TenantTimelineId> timeline;
  // That read and write relations at the same time; 0: as many as there are processors, at most 8.
  size_t threads = 0;
  std::stop_token stop;
};

struct ExportSummary {
  // The LSN asked for: the state of all data.
  Lsn lsn;
  // Where the WAL of the restored cluster begins.
  Lsn checkpoint_lsn;
  uint64_t system_identifier = 0;
  uint64_t bytes = 0;
  uint64_t files = 0;
  uint64_t relations = 0;
  // Without those that are empty, whose names are listed.
  uint64_t databases = 0;
  std::vector<std::string> empty_databases;
};

// Writes a data directory to `to`, which must be absent or empty (otherwise Conflict); the
// directory above it must exist. When it returns, everything is on disk, pg_control last; after an
// error what it wrote is removed again.
//
// NotFound for an LSN outside what `source` retains; InvalidArgument for a wrong tablespace
// mapping, or a database that is not there at the LSN; Corrupted when stored facts are missing or
// contradict each other; Exhausted when the disk is full; Denied for missing permissions; Cancelled
// by options.stop.
Result<ExportSummary> export_data_directory(VersionSource& source, Lsn lsn,
                                            const std::filesystem::path& to,
                                            const ExportOptions& options = {},
                                            const ProgressCallback& progress = {});

}  // namespace varve
