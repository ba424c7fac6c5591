// Import: a stopped data directory, or a base backup, becomes one image of every key.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "ingest/data_directory.h"
#include "ingest/progress.h"
#include "layer/version_sink.h"

namespace varve {

struct ImportOptions {
  // Checks the header of every page, and its checksum when the cluster has them. Without the check
  // a damaged page is stored as it is, and the restored one gets a matching checksum. Those of a
  // base backup are not checked: the server has done that, and knows which ones may be torn.
  bool verify_checksums = true;
  std::stop_token stop;
};

struct ImportSummary {
  // Where all images belong, and where the WAL goes on: start_lsn() and end_lsn() of the source.
  Lsn image_lsn;
  Lsn last_record_lsn;
  uint64_t system_identifier = 0;
  uint32_t catalog_version = 0;
  uint32_t timeline = 0;
  uint32_t wal_segment_size = 0;

  uint64_t images = 0;
  uint64_t bytes = 0;        // In the images.
  uint64_t relations = 0;    // With at least one fork stored; empty ones included.
  uint64_t databases = 0;    // Templates included.
  uint64_t tablespaces = 0;  // Other than pg_default and pg_global.
  uint64_t auxiliary_files = 0;
  // Relative paths of what no restore can bring back: sockets, devices, broken links, links to
  // directories outside of pg_tblspc.
  std::vector<std::string> skipped;
};

// Writes everything that a restore needs to `sink`, in key order. Memory is bounded by the number
// of files, not by their sizes. Not restored, and so not read: WAL, temporary files and relations,
// the content of unlogged relations, replication slots, server logs.
//
// Corrupted for damage, with file and block; Conflict when a file changes meanwhile; Denied for an
// unreadable file; Cancelled by options.stop; and whatever `sink` returns. After an error `sink`
// has an incomplete set of images, which its owner discards.
Result<ImportSummary> import_data_directory(const DataDirectory& source, VersionSink& sink,
                                            const ImportOptions& options = {},
                                            const ProgressCallback& progress = {});

}  // namespace varve
