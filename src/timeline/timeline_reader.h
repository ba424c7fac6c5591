// Reads a timeline's versions from its layers.
#pragma once

#include "layer/version_source.h"
#include "timeline/layer_cache.h"
#include "timeline/layer_selection.h"

namespace varve {

// A snapshot: what is committed to the timeline later does not show. Thread-safe.
class TimelineReader : public VersionSource {
 public:
  TimelineReader(TimelineManifest manifest, LayerCache::Options cache)
      : manifest_(std::move(manifest)), pattern_(cache.pattern), cache_(std::move(cache)) {}

  const TimelineMetadata& metadata() const { return manifest_.metadata; }
  LayerCache::Fetched fetched() const { return cache_.fetched(); }

  // NotFound, naming what can be read, unless gc_cutoff_lsn <= lsn <= disk_consistent_lsn.
  Result<> check_readable(Lsn lsn) const;

  Result<> scan(const KeyRange& range, Lsn lsn, const ImageSink& sink) override;
  Result<Bytes> get(const Key& key, Lsn lsn) override;

 private:
  // Of the layer, all that it has is read: now, or by and by.
  bool reads_whole(const SelectedLayer& selected) const;

  const TimelineManifest manifest_;
  const ReadPattern pattern_;
  LayerCache cache_;
};

}  // namespace varve
