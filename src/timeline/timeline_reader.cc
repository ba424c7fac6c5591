#include "timeline/timeline_reader.h"

#include <algorithm>

namespace varve {
namespace {

LayerCache::Options with_locator(LayerCache::Options options,
                                 const std::shared_ptr<LayerLocator>& locator) {
  options.locator = locator;
  return options;
}

std::vector<LayerName> names_of(const std::vector<LayerEntry>& layers) {
  std::vector<LayerName> names;
  names.reserve(layers.size());
  for (const LayerEntry& layer : layers) names.push_back(layer.name);
  return names;
}

}  // namespace

TimelineReader::TimelineReader(TimelineManifest manifest, LayerCache::Options cache,
                               std::unique_ptr<TimelineReader> ancestor)
    : id_(manifest.id),
      metadata_(manifest.metadata),
      pattern_(cache.pattern),
      ancestor_(std::move(ancestor)),
      locator_(cache.remote == nullptr ? nullptr
                                       : std::make_shared<LayerLocator>(*cache.remote, cache.log)),
      cache_(with_locator(std::move(cache), locator_)),
      snapshot_(std::make_shared<const Snapshot>(
          std::make_shared<const TimelineManifest>(std::move(manifest)))) {}

TimelineReader::Snapshot::Snapshot(std::shared_ptr<const TimelineManifest> commit)
    : manifest(std::move(commit)), map(names_of(manifest->layers)) {}

LayerCache::Fetched TimelineReader::fetched() const {
  LayerCache::Fetched fetched = cache_.fetched();
  if (ancestor_) {
    const auto of_ancestor = ancestor_->fetched();
    fetched.layers += of_ancestor.layers;
    fetched.bytes += of_ancestor.bytes;
  }
  return fetched;
}

Result<> TimelineReader::check_readable(Lsn lsn) const {
  return check_kept(metadata_, {.lsn = lsn});
}

Result<> TimelineReader::check_kept(const TimelineMetadata& metadata,
                                    const ReadPoint& point) const {
  const bool collected = !point.is_pinned && point.lsn < metadata.gc_cutoff_lsn;
  if (!collected && point.lsn <= metadata.disk_consistent_lsn) return {};
  return make_error(ErrorCode::kNotFound,
                    "LSN {} is not kept by timeline {}: it can be read from {} to {}", point.lsn,
                    id_, metadata.gc_cutoff_lsn, metadata.disk_consistent_lsn);
}

Result<> TimelineReader::scan(const KeyRange& range, Lsn lsn, const ImageSink& sink) {
  return scan_at(range, {.lsn = lsn}, sink);
}

Result<Bytes> TimelineReader::get(const Key& key, Lsn lsn) {
  return get_at(key, {.lsn = lsn});
}

Result<> TimelineReader::scan_at(const KeyRange& range, const ReadPoint& point,
                                 const ImageSink& sink) {
  VARVE_TRY(check_kept(metadata_, point));
  KeyRange rest = range;
  bool refused = false;
  const ImageSink hand_on = [&](const Key& key, ByteView image) {
    auto taken = sink(key, image);
    refused = !taken.ok();
    rest.start = key.next();
    return taken;
  };
  for (;;) {
    const SnapshotPointer read = snapshot();
    auto scanned = scan_layers(*read, rest, point, hand_on);
    if (refused || !scanned.failed_with(ErrorCode::kNotFound)) return scanned;
    VARVE_ASSIGN(const bool newer, go_on_with_newer(*read, point));
    if (!newer) return scanned;
  }
}

Result<Bytes> TimelineReader::get_at(const Key& key, const ReadPoint& point) {
  VARVE_TRY(check_kept(metadata_, point));
  for (;;) {
    const SnapshotPointer read = snapshot();
    auto found = find_in_layers(*read, key, point);
    if (!found.failed_with(ErrorCode::kNotFound)) return found;
    VARVE_ASSIGN(const bool newer, go_on_with_newer(*read, point));
    if (!newer) return found;
  }
}

Result<> TimelineReader::scan_layers(const Snapshot& snapshot, const KeyRange& range,
                                     const ReadPoint& point, const ImageSink& sink) {
  const auto parts = snapshot.map.newest_images(range, point.lsn);
  for (size_t i = 0; i < parts.size(); ++i) {
    prefetch(snapshot, parts[i]);
    if (i + 1 < parts.size()) prefetch(snapshot, parts[i + 1]);
    if (!parts[i].image) {
      VARVE_ASSIGN(const ReadPoint there, point_of_ancestor(parts[i].range, point));
      VARVE_TRY(ancestor_->scan_at(parts[i].range, there, sink));
      continue;
    }
    const LayerEntry& layer = snapshot.layer(*parts[i].image);
    const auto pass_on = [&](const Version& version) -> Result<> {
      if (version.kind != ValueKind::kImage || version.lsn != layer.name.lsn_start) {
        return make_error(ErrorCode::kCorrupted, "image layer {} holds a version at {} of key {}",
                          layer.name.to_string(), version.lsn, version.key);
      }
      return sink(version.key, version.value);
    };
    VARVE_TRY(cache_.scan(layer, parts[i].range, pass_on));
  }
  return {};
}

Result<Bytes> TimelineReader::find_in_layers(const Snapshot& snapshot, const Key& key,
                                             const ReadPoint& point) {
  const auto image = snapshot.map.newest_image(key, point.lsn);
  if (!image && key != Key::max()) {  // No layer holds that one.
    VARVE_ASSIGN(const ReadPoint there, point_of_ancestor({key, key.next()}, point));
    return ancestor_->get_at(key, there);
  }
  if (image) {
    VARVE_ASSIGN(auto found, cache_.find(snapshot.layer(*image), key, point.lsn));
    if (found) return std::move(found->value);
  }
  return make_error(ErrorCode::kNotFound, "timeline {} has no key {} at {}", id_, key, point.lsn);
}

Result<TimelineReader::ReadPoint> TimelineReader::point_of_ancestor(const KeyRange& range,
                                                                    const ReadPoint& point) const {
  if (!ancestor_) {
    return make_error(ErrorCode::kCorrupted,
                      "timeline {}: no image layer at or below {} covers the keys from {} to {}",
                      id_, point.lsn, range.start, range.end);
  }
  if (point.lsn < metadata_.ancestor_lsn) return point;
  return ReadPoint{.lsn = metadata_.ancestor_lsn, .is_pinned = true};
}

Result<bool> TimelineReader::go_on_with_newer(const Snapshot& read, const ReadPoint& point) {
  const auto newest = locator_ ? locator_->newest_known() : nullptr;
  if (!newest || newest->stamp.sequence <= read.manifest->stamp.sequence || newest->deleted) {
    return false;
  }
  VARVE_TRY(check_kept(newest->metadata, point));
  auto next = std::make_shared<const Snapshot>(newest);
  const std::lock_guard lock(mutex_);
  if (snapshot_->manifest->stamp.sequence < newest->stamp.sequence) snapshot_ = std::move(next);
  return true;
}

TimelineReader::SnapshotPointer TimelineReader::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

void TimelineReader::prefetch(const Snapshot& snapshot, const LayerMap::Part& part) {
  if (!part.image) return;
  const LayerEntry& layer = snapshot.layer(*part.image);
  if (pattern_ == ReadPattern::kEverything || part.range == layer.name.keys) cache_.prefetch(layer);
}

}  // namespace varve
