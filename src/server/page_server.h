// Everything a command does, on a work directory that this process holds.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "ingest/export.h"
#include "ingest/import.h"
#include "server/remote_access.h"
#include "server/work_directory.h"
#include "storage_sync/sync_engine.h"
#include "timeline/tenant_manager.h"

namespace varve {

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

// Thread-safe, but for the start and the stop of the sync engine, beside which nothing else runs.
class PageServer {
 public:
  struct Options {
    SettingOverrides overrides;
    // Of everything that it does, save what the sync engine does in the background.
    CallOptions call;
  };
  static Result<std::unique_ptr<PageServer>> open(WorkDirectory directory, const Options& options);
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

  // Like those of TenantManager, beside the sync engine where that runs.
  Result<TenantInfo> attach_tenant(const TenantId& id, const CallOptions& call = {});
  Result<> delete_timeline(const TenantTimelineId& id, const CallOptions& call = {});
  Result<> detach_tenant(const TenantId& id, const CallOptions& call = {});
  Result<> delete_tenant(const TenantId& id, const CallOptions& call = {});

  // Runs the sync engine in the background until stop_sync(), once. Without a remote storage there
  // is nothing to run.
  void start_sync(SyncEngine::Options options, std::vector<TimelineSyncStatus> states,
                  const std::vector<SyncTask>& first_tasks);
  void stop_sync() { engine_.reset(); }
  // Null while the sync engine does not run. What it points to is thread-safe.
  SyncLoop* sync_loop() { return engine_ ? &engine_->loop() : nullptr; }

  // The lag of what is local, and everything that is counted, as text for Prometheus.
  std::string metrics_text();
  Metrics& metrics() { return metrics_; }
  // So that they outlast this process.
  Result<> keep_request_counts();

  Result<RestoreReport> restore(const RestoreRequest& request, const ProgressCallback& progress);

 private:
  RequestCounts request_counts() const;
  uint64_t stored_bytes();
  void export_lag(const std::vector<TimelineInfo>& timelines);
  // Makes a change after which the sync engine has nothing more to do with the tenant.
  Result<> give_up_tenant(const TenantId& id, const std::function<Result<>()>& change);
  void schedule_pending_tasks(const TenantId& tenant);

  explicit PageServer(WorkDirectory directory) : directory_(std::move(directory)) {}

  WorkDirectory directory_;
  Settings settings_;
  CallOptions call_;
  Metrics metrics_;
  std::unique_ptr<RemoteAccess> remote_;
  std::optional<TenantManager> tenants_;
  // Held while the lag of timelines is exported, so that none comes back once it was forgotten.
  std::mutex lag_mutex_;
  mutable std::mutex mutex_;
  // Under mutex_: what is in the file of counts.
  RequestCounts counts_kept_;
  // Under mutex_: what stored_bytes() found last, and when there had been that many changes.
  uint64_t stored_bytes_ = 0;
  uint64_t changes_listed_ = 0;
  // Last, so that its tasks end while there is everything that they need.
  std::optional<SyncEngine> engine_;
};

// Restores straight from a remote storage, with no work directory. Writes nothing to it.
Result<RestoreReport> restore_from_remote(const std::string& url, const RestoreRequest& request,
                                          const CallOptions& call,
                                          const ProgressCallback& progress);

}  // namespace varve
