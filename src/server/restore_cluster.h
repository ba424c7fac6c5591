// From a timeline at one LSN to a data directory.
#pragma once

#include "ingest/export.h"
#include "server/page_service.h"
#include "server/settings.h"

namespace varve {

struct RestoreRequest {
  std::string timeline;  // TENANT/TIMELINE.
  TimelinePoint at = {};
  std::filesystem::path to;
  ExportOptions options;
};

struct RestoreReport {
  Json timeline;
  ExportSummary summary;
  LayerCache::Fetched fetched;
  // From the remote storage; none where a server sends them beside those of others.
  std::optional<RequestCounts> requests = {};
};

Json to_json(const RestoreReport& restore);

// Writes the data directory in this process. See export_data_directory().
Result<RestoreReport> restore_cluster(PageService& service, const RestoreRequest& request,
                                      const ProgressCallback& progress);

// Restores straight from the remote storage of the settings, with no work directory. Writes nothing
// to it.
Result<RestoreReport> restore_from_remote(const Settings& settings, const RestoreRequest& request,
                                          const CallOptions& call,
                                          const ProgressCallback& progress);

}  // namespace varve
