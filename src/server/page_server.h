// Everything a command does, on a work directory that this process holds.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "ingest/export.h"
#include "ingest/import.h"
#include "server/remote_access.h"
#include "server/work_directory.h"
#include "storage_sync/sync_engine.h"
#include "timeline/tenant_manager.h"

namespace varve {

// What of a timeline has reached an LSN.
enum class WaitFor { kIngested, kCheckpointed, kRemote };

struct StatusReport {
  size_t queue_length = 0;  // Timelines with something to upload or download.
  RequestCounts requests;
  double cost_usd = 0;
  uint64_t stored_bytes = 0;  // In the remote storage, under the prefix.
  std::vector<TimelineInfo> timelines;
  // Of this process.
  std::vector<MetricSample> metrics;
};

struct RestoreRequest {
  std::string timeline;    // TENANT/TIMELINE.
  std::optional<Lsn> lsn;  // None: the last one.
  std::filesystem::path to;
  ExportOptions options;
};

struct RestoreReport {
  TimelineInfo timeline;
  ExportSummary summary;
  LayerCache::Fetched fetched;
  RequestCounts requests;  // Of this restore, from the remote storage.
};

// Not thread-safe.
class PageServer {
 public:
  struct Options {
    std::filesystem::path work_directory;
    SettingOverrides overrides;
    CallOptions call;
  };
  static Result<std::unique_ptr<PageServer>> open(const Options& options);
  // Keeps the counts of requests.
  ~PageServer();

  TenantManager& tenants() { return *tenants_; }
  const Settings& settings() const { return settings_; }

  Result<TimelineInfo> import_timeline(const std::string& tenant, const std::string& name,
                                       const std::filesystem::path& data_directory,
                                       const ImportOptions& options,
                                       const ProgressCallback& import_progress,
                                       const ByteProgress& upload_progress);

  // Of everything, or of one timeline.
  Result<StatusReport> status(const std::optional<std::string>& timeline);

  // Lets the sync engine work until the LSN is reached. Cancelled when the deadline of `call`
  // passes before; Conflict when nothing that could be done brings the timeline there.
  Result<TimelineInfo> wait(const std::string& timeline, Lsn lsn, WaitFor what,
                            const CallOptions& call, const ByteProgress& progress);

  Result<RestoreReport> restore(const RestoreRequest& request, const ProgressCallback& progress);

 private:
  Result<> wait_until_synced(const TenantTimelineId& id, const CallOptions& call);

  explicit PageServer(WorkDirectory directory) : directory_(std::move(directory)) {}

  WorkDirectory directory_;
  Settings settings_;
  CallOptions call_;
  RequestCounts counts_at_start_;
  Metrics metrics_;
  std::unique_ptr<RemoteAccess> remote_;
  std::optional<TenantManager> tenants_;
};

// Restores straight from a remote storage, with no work directory. Writes nothing to it.
Result<RestoreReport> restore_from_remote(const std::string& url, const RestoreRequest& request,
                                          const CallOptions& call,
                                          const ProgressCallback& progress);

}  // namespace varve
