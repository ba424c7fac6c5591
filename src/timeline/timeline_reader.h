// Reads a timeline's versions from its layers and those of its ancestors.
#pragma once

#include <memory>
#include <mutex>

#include "layer/layer_map.h"
#include "layer/version_source.h"
#include "timeline/layer_cache.h"

namespace varve {

// A snapshot: what is committed to the timeline later does not show. But where the owner has
// removed layers since, with their objects, the reading goes on in the newest commit for as long as
// that keeps the LSN. Thread-safe.
class TimelineReader : public VersionSource {
 public:
  // `ancestor` reads the timeline of metadata().ancestor; null on a timeline that is no branch.
  TimelineReader(TimelineManifest manifest, LayerCache::Options cache,
                 std::unique_ptr<TimelineReader> ancestor = nullptr);

  const TimelineMetadata& metadata() const { return metadata_; }
  // With what was fetched of the ancestors.
  LayerCache::Fetched fetched() const;

  // NotFound, naming what can be read, unless gc_cutoff_lsn <= lsn <= disk_consistent_lsn.
  Result<> check_readable(Lsn lsn) const;

  // Corrupted, naming the keys, where neither an image layer at or below `lsn` nor an ancestor
  // covers them: a gap is never read as "no such key".
  Result<> scan(const KeyRange& range, Lsn lsn, const ImageSink& sink) override;
  Result<Bytes> get(const Key& key, Lsn lsn) override;

 private:
  // One commit of the timeline.
  struct Snapshot {
    explicit Snapshot(std::shared_ptr<const TimelineManifest> commit);
    const LayerEntry& layer(LayerMap::Index index) const { return manifest->layers[index]; }

    std::shared_ptr<const TimelineManifest> manifest;
    // Of the manifest's layers, by their places in it.
    LayerMap map;
  };
  using SnapshotPointer = std::shared_ptr<const Snapshot>;
  struct ReadPoint {
    Lsn lsn;
    // A branch begins here, or reads through one that does: what garbage collection of this
    // timeline has left behind does not matter.
    bool is_pinned = false;
  };

  Result<> check_kept(const TimelineMetadata& metadata, const ReadPoint& point) const;
  Result<> scan_at(const KeyRange& range, const ReadPoint& point, const ImageSink& sink);
  Result<> scan_layers(const Snapshot& snapshot, const KeyRange& range, const ReadPoint& point,
                       const ImageSink& sink);
  Result<Bytes> get_at(const Key& key, const ReadPoint& point);
  Result<Bytes> find_in_layers(const Snapshot& snapshot, const Key& key, const ReadPoint& point);

  // What this timeline has not itself is read there. The error when there is no such place.
  Result<ReadPoint> point_of_ancestor(const KeyRange& range, const ReadPoint& point) const;
  // Whether, after an object was found to be absent, there is a newer commit to go on with.
  Result<bool> go_on_with_newer(const Snapshot& read, const ReadPoint& point);
  SnapshotPointer snapshot() const;
  // Begins to fetch the layer of a part whose layer is read whole, now or by and by.
  void prefetch(const Snapshot& snapshot, const LayerMap::Part& part);

  const TenantTimelineId id_;
  const TimelineMetadata metadata_;
  const ReadPattern pattern_;
  const std::unique_ptr<TimelineReader> ancestor_;
  // Null without a remote storage.
  const std::shared_ptr<LayerLocator> locator_;
  LayerCache cache_;
  mutable std::mutex mutex_;
  SnapshotPointer snapshot_;
};

}  // namespace varve
