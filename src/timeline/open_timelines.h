// The timelines of a work directory that this process writes to.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "runtime/turns.h"
#include "timeline/tenant_manager.h"
#include "timeline/timeline.h"

namespace varve {

// Thread-safe. While a timeline is open its layers are changed by it alone, so that whoever reads
// must do so by what is had here.
class OpenTimelines {
 public:
  struct Options {
    // None: nothing is remote.
    const SyncContext* remote = nullptr;
    // Of each timeline; cache and ancestor are filled in.
    Timeline::Options timeline = {};
    // Where what is read of layers that are not local is kept.
    std::filesystem::path scratch_parent;
    // Told of what is read of layers that are not local; null: nobody wants to know.
    std::shared_ptr<RemoteReads> remote_reads = {};
  };
  // The tenants outlive it.
  OpenTimelines(TenantManager& tenants, Options options);

  TenantManager& tenants() { return tenants_; }
  const Options& options() const { return options_; }

  // The one that is open, or else opens it, and its ancestors with it. Conflict when this work
  // directory does not own the tenant, or has not all that is known of the timeline.
  Result<std::shared_ptr<Timeline>> open(const TenantTimelineId& id, const CallOptions& call);
  // Null when it is not open.
  std::shared_ptr<Timeline> find(const TenantTimelineId& id) const;
  // From now on open() opens it anew; whoever has it must have done with it.
  void close(const TenantTimelineId& id);

  // As that of TenantManager, whether the timeline is open or not. What was read of them until then
  // does not bring them back.
  Result<TenantManager::FreedLayers> drop_local_layers(
      const TenantTimelineId& id, const CallOptions& call,
      const TenantManager::LayerPredicate& wanted = {});

  // A timeline at one LSN.
  struct Snapshot {
    // Null where the timeline cannot be open: then it is read as it was.
    std::shared_ptr<Timeline> timeline;
    // Keeps the LSN readable.
    std::optional<Timeline::Lease> lease;
    std::shared_ptr<TimelineReader> reader;
    Lsn lsn;
  };
  // At the last LSN when there is none. NotFound for one that cannot be read. What a branch has of
  // an ancestor's history is read, and kept readable, there. What is not local is
  // fetched into `scratch_parent`; empty: into that of the options.
  Result<Snapshot> open_snapshot(const TenantTimelineId& id, std::optional<Lsn> lsn,
                                 const std::filesystem::path& scratch_parent,
                                 const CallOptions& call,
                                 ReadPattern pattern = ReadPattern::kEverything);

 private:
  // Whether it can be written to here.
  Result<std::shared_ptr<KeptTimeline>> writable_state(const TenantTimelineId& id) const;
  // Reads what a branch has from its ancestor; null for a timeline that is none.
  Result<std::shared_ptr<TimelineReader>> ancestor_of(const TimelineMetadata& metadata,
                                                      const TenantTimelineId& id, size_t link,
                                                      const CallOptions& call);
  // `link` of a chain of ancestors, 0 the timeline that was asked for.
  Result<std::shared_ptr<Timeline>> open_link(const TenantTimelineId& id, size_t link,
                                              const CallOptions& call);
  Result<std::shared_ptr<TimelineReader>> open_reader(const TenantTimelineId& id,
                                                      const std::filesystem::path& scratch_parent,
                                                      ReadPattern pattern, const CallOptions& call);

  TenantManager& tenants_;
  const Options options_;
  // Held while it is opened.
  Turns<TenantTimelineId> turns_;
  mutable std::mutex mutex_;
  std::map<TenantTimelineId, std::shared_ptr<Timeline>> timelines_;
};

}  // namespace varve
