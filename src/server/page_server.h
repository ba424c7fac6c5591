// Everything a command does, on a work directory that this process holds.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "server/remote_access.h"
#include "server/timeline_point.h"
#include "server/wal_redo_service.h"
#include "server/work_directory.h"
#include "storage_sync/sync_engine.h"
#include "timeline/layer_eviction.h"
#include "timeline/open_timelines.h"
#include "timeline/timeline_feed.h"

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

// Thread-safe, but for the start and the stop of the sync engine, beside which nothing else runs.
class PageServer {
 public:
  struct Options {
    Settings settings;
    // Of everything that it does, save what the sync engine does in the background.
    CallOptions call;
    // Null: by PostgreSQL, as the settings say.
    std::shared_ptr<Redo> redo = {};
  };
  static Result<std::unique_ptr<PageServer>> open(WorkDirectory directory, Options options);
  // Keeps the counts of requests.
  ~PageServer();

  TenantManager& tenants() { return *tenants_; }
  const Settings& settings() const { return settings_; }
  const WorkDirectory& directory() const { return directory_; }

  // As those of TenantManager, with what is only in memory.
  Result<TimelineInfo> timeline(std::string_view address);
  Result<std::vector<TimelineInfo>> timelines(const TenantId& tenant);

  // Of everything, or of one timeline.
  Result<StatusReport> status(const std::optional<std::string>& timeline);

  // Like those of TenantManager, beside the sync engine where that runs.
  Result<TenantInfo> attach_tenant(const TenantId& id, const CallOptions& call = {});
  Result<> delete_timeline(const TenantTimelineId& id, const CallOptions& call = {});
  Result<> detach_tenant(const TenantId& id, const CallOptions& call = {});
  Result<> delete_tenant(const TenantId& id, const CallOptions& call = {});

  OpenTimelines& timelines() { return *timelines_; }

  // The timeline is looked after for as long as the feed exists: checkpoints, their upload where
  // the sync engine runs, compaction. This outlives it, and so does the sync engine. Conflict when
  // somebody feeds it already.
  Result<std::unique_ptr<TimelineFeed>> feed(const TenantTimelineId& id, const CallOptions& call);

  // Whether primaries may forget what is remote, rather than what is in files here.
  bool confirms_remote() const { return remote_ != nullptr && settings_.confirm == "remote"; }

  // What was ingested until now is in files; where the sync engine runs, it uploads them.
  Result<> flush(const TenantTimelineId& id);
  // What was ingested until now becomes remote.
  Result<TimelineInfo> checkpoint(const TenantTimelineId& id, const CallOptions& call,
                                  const ByteProgress& progress);
  Result<TimelineInfo> branch(const TenantTimelineId& parent, const TimelinePoint& at,
                              const std::string& name, const CallOptions& call);

  // Keeps a place in the history readable, whatever is collected, until it is unpinned.
  Result<TimelinePin> pin(const TenantTimelineId& id, const TimelinePoint& at,
                          const CallOptions& call);

  struct CollectedTimelineGarbage {
    // From where on the timeline can be read now, branches excepted.
    Lsn oldest_lsn;
    size_t layers = 0;
    // Out of remote objects that were mostly garbage.
    TenantManager::MovedLayers moved;
    CollectedGarbage remote;
  };
  // Gives up what is not to be kept any longer: layers, then objects.
  Result<CollectedTimelineGarbage> collect_garbage(const TenantTimelineId& id,
                                                   const CallOptions& call);
  // The same for what a tenant has of its own, and its deleted timelines have left.
  Result<CollectedGarbage> collect_tenant_garbage(const TenantId& id, const CallOptions& call);

  // Whether its layers have changed in this process, or earlier and there are objects left of that:
  // otherwise there is nothing to give up.
  bool has_changed_layers(const TenantTimelineId& id) const;
  // By the settings.
  EvictionLimits eviction_limits() const;
  Result<EvictionReport> evict_layers(const CallOptions& call);

  // Runs the sync engine in the background until stop_sync(), once. Without a remote storage there
  // is nothing to run.
  void start_sync(SyncEngine::Options options, std::vector<TimelineSyncStatus> states,
                  const std::vector<SyncTask>& first_tasks);
  void stop_sync() { engine_.reset(); }

  // Where timelines may hold WAL: has redo by PostgreSQL ready before it is needed, and warns if it
  // cannot be had.
  void start_redo();
  // Reads that wait for it end, and later ones fail.
  void stop_redo();
  // Null while the sync engine does not run. What it points to is thread-safe.
  SyncLoop* sync_loop() { return engine_ ? &engine_->loop() : nullptr; }

  // The lag of what is local, and everything that is counted, as text for Prometheus.
  std::string metrics_text();
  Metrics& metrics() { return metrics_; }
  // So that they outlast this process.
  Result<> keep_request_counts();

 private:
  RequestCounts request_counts() const;
  // For as long as this exists, where the error says that the change may have been made.
  template <typename T>
  void keep_if_uncertain(const Result<T>& made, OpenTimelines::Snapshot snapshot);
  // Below which nothing is to be kept.
  Result<Lsn> retention_cutoff(Timeline& timeline) const;
  uint64_t stored_bytes();
  void export_lag(const std::vector<TimelineInfo>& timelines);
  void add_what_is_in_memory(TimelineInfo& timeline) const;
  // Conflict while it is fed. Otherwise nobody writes to it any more.
  Result<> close_timeline(const TenantTimelineId& id);
  // Makes a change after which the sync engine has nothing more to do with the tenant.
  Result<> give_up_tenant(const TenantId& id, const std::function<Result<>()>& change);
  void schedule_pending_tasks(const TenantId& tenant);
  void schedule_pending_task(const TenantTimelineId& id);

  explicit PageServer(WorkDirectory directory) : directory_(std::move(directory)) {}

  WorkDirectory directory_;
  Settings settings_;
  CallOptions call_;
  Metrics metrics_;
  // Null where another was given.
  std::unique_ptr<WalRedoService> redo_;
  std::unique_ptr<RemoteAccess> remote_;
  std::optional<TenantManager> tenants_;
  std::optional<OpenTimelines> timelines_;
  // Where branches begin, and what was pinned, of which it is not known whether the tenant's log
  // has it.
  std::mutex uncertain_mutex_;
  std::vector<OpenTimelines::Snapshot> uncertain_snapshots_;
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

}  // namespace varve
