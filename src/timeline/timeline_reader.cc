#include "timeline/timeline_reader.h"

#include <algorithm>

namespace varve {
namespace {

LayerCache::Options with_locator(LayerCache::Options options,
                                 const std::shared_ptr<LayerLocator>& locator) {
  options.locator = locator;
  return options;
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
      manifest_(std::make_shared<const TimelineManifest>(std::move(manifest))) {}

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
    const Manifest read = manifest();
    auto scanned = scan_layers(read, rest, point, hand_on);
    if (refused || !scanned.failed_with(ErrorCode::kNotFound)) return scanned;
    VARVE_ASSIGN(const bool newer, go_on_with_newer(read, point));
    if (!newer) return scanned;
  }
}

Result<Bytes> TimelineReader::get_at(const Key& key, const ReadPoint& point) {
  VARVE_TRY(check_kept(metadata_, point));
  for (;;) {
    const Manifest read = manifest();
    auto found = find_in_layers(read, key, point);
    if (!found.failed_with(ErrorCode::kNotFound)) return found;
    VARVE_ASSIGN(const bool newer, go_on_with_newer(read, point));
    if (!newer) return found;
  }
}

Result<> TimelineReader::scan_layers(const Manifest& manifest, const KeyRange& range,
                                     const ReadPoint& point, const ImageSink& sink) {
  const auto selected = select_images(manifest->layers, range, point.lsn);
  for (size_t i = 0; i < selected.size(); ++i) {
    // This one and the next.
    for (size_t ahead = i; ahead < std::min(i + 2, selected.size()); ++ahead) {
      if (reads_whole(selected[ahead])) cache_.prefetch(*selected[ahead].layer);
    }
    if (selected[i].layer == nullptr) {
      VARVE_ASSIGN(const ReadPoint there, point_of_ancestor(selected[i].range, point));
      VARVE_TRY(ancestor_->scan_at(selected[i].range, there, sink));
      continue;
    }
    const Lsn image_lsn = selected[i].layer->name.lsn_start;
    const auto pass_on = [&](const Version& version) -> Result<> {
      if (version.kind != ValueKind::kImage || version.lsn != image_lsn) {
        return make_error(ErrorCode::kCorrupted, "image layer {} holds a version at {} of key {}",
                          selected[i].layer->name.to_string(), version.lsn, version.key);
      }
      return sink(version.key, version.value);
    };
    VARVE_TRY(cache_.scan(*selected[i].layer, selected[i].range, pass_on));
  }
  return {};
}

Result<Bytes> TimelineReader::find_in_layers(const Manifest& manifest, const Key& key,
                                             const ReadPoint& point) {
  const KeyRange range{key, key.next()};
  const auto selected = select_images(manifest->layers, range, point.lsn);
  if (!selected.empty()) {  // It is for Key::max() alone, which no layer holds.
    if (selected.front().layer == nullptr) {
      VARVE_ASSIGN(const ReadPoint there, point_of_ancestor(range, point));
      return ancestor_->get_at(key, there);
    }
    VARVE_ASSIGN(auto found, cache_.find(*selected.front().layer, key, point.lsn));
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

Result<bool> TimelineReader::go_on_with_newer(const Manifest& read, const ReadPoint& point) {
  const Manifest newest = locator_ ? locator_->newest_known() : nullptr;
  if (!newest || newest->stamp.sequence <= read->stamp.sequence || newest->deleted) return false;
  VARVE_TRY(check_kept(newest->metadata, point));
  const std::lock_guard lock(mutex_);
  if (manifest_->stamp.sequence < newest->stamp.sequence) manifest_ = newest;
  return true;
}

TimelineReader::Manifest TimelineReader::manifest() const {
  const std::lock_guard lock(mutex_);
  return manifest_;
}

bool TimelineReader::reads_whole(const SelectedLayer& selected) const {
  return selected.layer != nullptr &&
         (pattern_ == ReadPattern::kEverything || selected.range == selected.layer->name.keys);
}

}  // namespace varve
