// Reads a timeline's versions from its layers and those of its ancestors.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "layer/redo.h"
#include "layer/version_source.h"
#include "timeline/layer_cache.h"
#include "timeline/timeline_view.h"
#include "timeline/version_chain.h"

namespace varve {

// Thread-safe. By itself a snapshot: what is committed to the timeline later does not show. But
// where the owner has removed layers since, with their objects, the reading goes on in the newest
// commit for as long as that keeps the LSN. Of a timeline that is written to, what publish() was
// given last.
class TimelineReader : public VersionSource {
 public:
  struct Options {
    LayerCache::Options cache;
    // Reads the timeline of metadata().ancestor; null on a timeline that is no branch.
    std::shared_ptr<TimelineReader> ancestor = {};
    // Null: records cannot be read.
    std::shared_ptr<Redo> redo = {};
    // The views come from publish() alone; a commit that another reader found is none.
    bool is_live = false;
    // Whether an LSN below gc_cutoff_lsn can be read all the same.
    std::function<bool(Lsn)> is_retained = {};
  };
  TimelineReader(TimelineManifest manifest, Options options);

  // As of its opening.
  const TimelineMetadata& metadata() const { return metadata_; }
  // With what was fetched of the ancestors.
  LayerCache::Fetched fetched() const;

  // What is read from now on, and up to which LSN.
  void publish(TimelineViewPointer view);
  void allow_up_to(Lsn lsn) { last_lsn_.store(lsn.value, std::memory_order_release); }
  TimelineViewPointer view() const;
  LayerCache& cache() { return cache_; }

  // NotFound, naming what can be read, unless `lsn` lies between gc_cutoff_lsn and the last one.
  Result<> check_readable(Lsn lsn) const;

  // Corrupted, naming the keys, where neither an image layer at or below `lsn` nor an ancestor
  // covers them: a gap is never read as "no such key".
  Result<> scan(const KeyRange& range, Lsn lsn, const ImageSink& sink) override;
  Result<Bytes> get(const Key& key, Lsn lsn) override;

 private:
  class PartsCursor;
  struct ReadPoint {
    Lsn lsn;
    // A branch begins here, or reads through one that does: what garbage collection of this
    // timeline has left behind does not matter.
    bool is_pinned = false;
  };

  Result<> check_kept(Lsn gc_cutoff_lsn, const ReadPoint& point) const;
  // All versions at or below the point, those of the ancestors included.
  Result<VersionCursorPointer> cursor(const KeyRange& range, const ReadPoint& point);
  // Adds those of the chain's key, until it is complete.
  Result<> collect(VersionChain& chain, const ReadPoint& point);
  Result<> collect_from(const TimelineViewPointer& view, VersionChain& chain,
                        const ReadPoint& point);

  // What this timeline has not itself is read there. The error when there is no such place.
  Result<ReadPoint> point_of_ancestor(const KeyRange& range, const ReadPoint& point) const;
  // Of this timeline and its ancestors, nearest first.
  std::vector<TimelineViewPointer> views() const;
  // Whether, after a layer was found to be absent, there are newer layer files than those that were
  // read; `read` begins with this timeline's view and goes on with those of its ancestors.
  Result<bool> go_on_with_newer(std::span<const TimelineViewPointer> read, const ReadPoint& point);

  const TenantTimelineId id_;
  const TimelineMetadata metadata_;
  const ReadPattern pattern_;
  const std::shared_ptr<TimelineReader> ancestor_;
  const std::shared_ptr<Redo> redo_;
  const std::function<bool(Lsn)> is_retained_;
  // Null without a remote storage, and of a timeline that is written to.
  const std::shared_ptr<LayerLocator> locator_;
  LayerCache cache_;
  KnownImages known_images_;
  std::atomic<uint64_t> last_lsn_;
  mutable std::mutex mutex_;
  TimelineViewPointer view_;
};

}  // namespace varve
