// A timeline of this process at one LSN.
#pragma once

#include "ingest/time_index.h"
#include "server/page_service.h"
#include "timeline/open_timelines.h"

namespace varve {

// Thread-safe. The tenants outlive it.
class LocalTimelineSnapshot : public TimelineSnapshot {
 public:
  // NotFound for an LSN that cannot be read, or a time before what is known.
  static Result<std::unique_ptr<LocalTimelineSnapshot>> open(OpenTimelines& timelines,
                                                             const SnapshotRequest& request,
                                                             const CallOptions& call);

  const Json& timeline() const override { return timeline_; }
  Lsn lsn() const override { return snapshot_.lsn; }
  Result<LayerCache::Fetched> fetched() override { return snapshot_.reader->fetched(); }

  Result<> scan(const KeyRange& range, Lsn lsn, const ImageSink& sink) override {
    return snapshot_.reader->scan(range, lsn, sink);
  }
  Result<Bytes> get(const Key& key, Lsn lsn) override { return snapshot_.reader->get(key, lsn); }

 private:
  LocalTimelineSnapshot(Json timeline, OpenTimelines::Snapshot snapshot)
      : timeline_(std::move(timeline)), snapshot_(std::move(snapshot)) {}

  const Json timeline_;
  const OpenTimelines::Snapshot snapshot_;
};

// The last LSN at or before the time; NotFound when nothing is known of it.
Result<TimedLsn> lsn_at(OpenTimelines& timelines, const TenantTimelineId& id, Timestamp time,
                        const CallOptions& call);
// The LSN of a point; none for the last one.
Result<std::optional<Lsn>> lsn_of(OpenTimelines& timelines, const TenantTimelineId& id,
                                  const TimelinePoint& point, const CallOptions& call);

}  // namespace varve
