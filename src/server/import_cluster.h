// From a data directory to a timeline of a server, wherever that runs.
#pragma once

#include "ingest/import.h"
#include "server/page_service.h"

namespace varve {

struct ImportRequest {
  std::string tenant;
  // Of the timeline; empty: none.
  std::string name;
  std::filesystem::path data_directory;
  ImportOptions options;
};

// Reads the data directory in this process. Gives the timeline once it is remote. `read` hears of
// what was read, `uploaded` of what is in the remote storage.
Result<Json> import_cluster(PageService& service, const ImportRequest& request,
                            const CallOptions& call, const ProgressCallback& read,
                            const ByteProgress& uploaded);

}  // namespace varve
