#include "timeline/timeline_reader.h"

#include <algorithm>

namespace varve {
namespace {

// Versions from which on an image is worth keeping.
constexpr size_t kLongChain = 64;

LayerCache::Options with_locator(LayerCache::Options options,
                                 const std::shared_ptr<LayerLocator>& locator) {
  options.locator = locator;
  return options;
}

std::shared_ptr<LayerLocator> make_locator(const TimelineReader::Options& options) {
  if (options.cache.remote == nullptr || options.is_live) return nullptr;
  return std::make_shared<LayerLocator>(*options.cache.remote, options.cache.log);
}

TimelineViewPointer view_of(std::shared_ptr<const TimelineManifest> manifest) {
  return std::make_shared<const TimelineView>(
      TimelineView{.layers = std::make_shared<const LayerSnapshot>(std::move(manifest))});
}

// The versions of an image layer, which must be what its name says.
class ImageCursor : public VersionCursor {
 public:
  ImageCursor(VersionCursorPointer inner, const LayerName& layer)
      : inner_(std::move(inner)), layer_(layer) {}

  Result<> check() const {
    const Version* version = inner_->current();
    if (version == nullptr ||
        (version->kind == ValueKind::kImage && version->lsn == layer_.lsn_start)) {
      return {};
    }
    return make_error(ErrorCode::kCorrupted, "image layer {} holds a version at {} of key {}",
                      layer_.to_string(), version->lsn, version->key);
  }
  const Version* current() const override { return inner_->current(); }
  Result<> next() override {
    VARVE_TRY(inner_->next());
    return check();
  }
  Result<> seek(const Key& key, Lsn lsn) override {
    VARVE_TRY(inner_->seek(key, lsn));
    return check();
  }

 private:
  const VersionCursorPointer inner_;
  const LayerName layer_;
};

}  // namespace

TimelineReader::TimelineReader(TimelineManifest manifest, Options options)
    : id_(manifest.id),
      metadata_(manifest.metadata),
      pattern_(options.cache.pattern),
      ancestor_(std::move(options.ancestor)),
      redo_(std::move(options.redo)),
      is_retained_(std::move(options.is_retained)),
      locator_(make_locator(options)),
      cache_(with_locator(std::move(options.cache), locator_)),
      last_lsn_(metadata_.disk_consistent_lsn.value),
      view_(view_of(std::make_shared<const TimelineManifest>(std::move(manifest)))) {}

LayerCache::Fetched TimelineReader::fetched() const {
  LayerCache::Fetched fetched = cache_.fetched();
  if (ancestor_) {
    const auto of_ancestor = ancestor_->fetched();
    fetched.layers += of_ancestor.layers;
    fetched.bytes += of_ancestor.bytes;
  }
  return fetched;
}

void TimelineReader::publish(TimelineViewPointer view) {
  const std::lock_guard lock(mutex_);
  std::swap(view_, view);
}

TimelineViewPointer TimelineReader::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

Result<> TimelineReader::check_readable(Lsn lsn) const {
  return check_kept(view()->layers->manifest->metadata.gc_cutoff_lsn, {.lsn = lsn});
}

Result<> TimelineReader::check_kept(Lsn gc_cutoff_lsn, const ReadPoint& point) const {
  const Lsn last{last_lsn_.load(std::memory_order_acquire)};
  const bool collected =
      !point.is_pinned && point.lsn < gc_cutoff_lsn && !(is_retained_ && is_retained_(point.lsn));
  if (!collected && point.lsn <= last) return {};
  if (last < gc_cutoff_lsn) {
    return make_error(ErrorCode::kNotFound,
                      "timeline {} cannot be read yet: the WAL of its base backup goes up to {}, "
                      "and only that up to {} has arrived",
                      id_, gc_cutoff_lsn, last);
  }
  return make_error(ErrorCode::kNotFound,
                    "LSN {} is not kept by timeline {}: it can be read from {} to {}", point.lsn,
                    id_, gc_cutoff_lsn, last);
}

Result<> TimelineReader::scan(const KeyRange& range, Lsn lsn, const ImageSink& sink) {
  const ReadPoint point{.lsn = lsn};
  VARVE_TRY(check_readable(lsn));
  KeyRange rest = range;
  bool refused = false;
  const ImageSink hand_on = [&](const Key& key, ByteView image) {
    auto taken = sink(key, image);
    refused = !taken.ok();
    rest.start = key.next();
    return taken;
  };
  for (;;) {
    const auto read = views();
    const auto scan_rest = [&]() -> Result<> {
      VARVE_ASSIGN(const auto versions, cursor(rest, point));
      return reconstruct_all(*versions, redo_.get(), hand_on);
    };
    auto scanned = scan_rest();
    if (refused || !scanned.failed_with(ErrorCode::kNotFound)) return scanned;
    VARVE_ASSIGN(const bool newer, go_on_with_newer(read, point));
    if (!newer) return scanned;
  }
}

Result<Bytes> TimelineReader::get(const Key& key, Lsn lsn) {
  VersionChain chain(key, known_images_.find(key, lsn));
  VARVE_TRY(collect(chain, {.lsn = lsn}));
  if (chain.exists()) {
    VARVE_ASSIGN(Bytes image, chain.image(redo_.get()));
    if (chain.size() >= kLongChain) {
      known_images_.put(key, {chain.lsn(), std::make_shared<const Bytes>(image)});
    }
    return image;
  }
  return make_error(ErrorCode::kNotFound, "timeline {} has no key {} at {}", id_, key, lsn);
}

// What lies in layer files, part by part: all of a part has the same image layer below it.
class TimelineReader::PartsCursor : public VersionCursor {
 public:
  PartsCursor(TimelineReader& reader, TimelineViewPointer view, const KeyRange& range,
              const ReadPoint& point)
      : reader_(reader),
        view_(std::move(view)),
        point_(point),
        parts_(layers().map.newest_images(range, point.lsn)) {}

  // To the first version of this part or one after it.
  Result<> start() {
    while (part_ < parts_.size()) {
      VARVE_ASSIGN(at_, open(parts_[part_]));
      if (at_->current() != nullptr) return {};
      ++part_;
    }
    at_.reset();
    return {};
  }

  const Version* current() const override { return at_ ? at_->current() : nullptr; }

  Result<> next() override { return go_on(at_->next()); }

  Result<> seek(const Key& key, Lsn lsn) override {
    VARVE_TRY(go_on(at_->seek(key, lsn)));
    // Beyond the part where it was, one by one.
    return VersionCursor::seek(key, lsn);
  }

 private:
  const LayerSnapshot& layers() const { return *view_->layers; }

  // After a move within this part.
  Result<> go_on(const Result<>& moved) {
    if (!moved.ok()) {
      at_.reset();
      return moved;
    }
    if (at_->current() != nullptr) return {};
    ++part_;
    return start();
  }

  Result<VersionCursorPointer> open(const LayerMap::Part& part) {
    prefetch(part);
    if (part_ + 1 < parts_.size()) prefetch(parts_[part_ + 1]);
    std::vector<VersionCursorPointer> cursors;
    Lsn first{0};
    if (part.image) {
      const LayerEntry& image = layers().layer(*part.image);
      first = image.name.lsn_end;
      VARVE_ASSIGN(auto images, reader_.cache_.cursor(image, part.range));
      auto checked = std::make_unique<ImageCursor>(std::move(images), image.name);
      VARVE_TRY(checked->check());
      cursors.push_back(std::move(checked));
    } else {
      VARVE_ASSIGN(const ReadPoint there, reader_.point_of_ancestor(part.range, point_));
      VARVE_ASSIGN(auto inherited, reader_.ancestor_->cursor(part.range, there));
      cursors.push_back(std::move(inherited));
    }
    for (const LayerMap::Index delta : layers().map.deltas(part.range, first, point_.lsn)) {
      VARVE_ASSIGN(auto changes, reader_.cache_.cursor(layers().layer(delta), part.range));
      VARVE_ASSIGN(auto limited, between(std::move(changes), first, point_.lsn));
      cursors.push_back(std::move(limited));
    }
    return merge(std::move(cursors));
  }

  // Begins to fetch the layer of a part whose layer is read whole, now or by and by.
  void prefetch(const LayerMap::Part& part) {
    if (!part.image) return;
    const LayerEntry& layer = layers().layer(*part.image);
    if (reader_.pattern_ == ReadPattern::kEverything || part.range == layer.name.keys) {
      reader_.cache_.prefetch(layer);
    }
  }

  TimelineReader& reader_;
  const TimelineViewPointer view_;
  const ReadPoint point_;
  const std::vector<LayerMap::Part> parts_;
  size_t part_ = 0;
  VersionCursorPointer at_;
};

Result<VersionCursorPointer> TimelineReader::cursor(const KeyRange& range, const ReadPoint& point) {
  const TimelineViewPointer read = view();
  VARVE_TRY(check_kept(read->layers->manifest->metadata.gc_cutoff_lsn, point));
  std::vector<VersionCursorPointer> cursors;
  for (const auto& layer : read->memory) {
    VARVE_ASSIGN(auto limited, between(layer->cursor(range), Lsn{0}, point.lsn));
    cursors.push_back(std::move(limited));
  }
  // It keeps the view, and so the layers in memory.
  auto parts = std::make_unique<PartsCursor>(*this, read, range, point);
  VARVE_TRY(parts->start());
  cursors.push_back(std::move(parts));
  return merge(std::move(cursors));
}

Result<> TimelineReader::collect(VersionChain& chain, const ReadPoint& point) {
  const size_t newer_versions = chain.size();
  for (;;) {
    const TimelineViewPointer read = view();
    VARVE_TRY(check_kept(read->layers->manifest->metadata.gc_cutoff_lsn, point));
    auto collected = collect_from(read, chain, point);
    if (!collected.failed_with(ErrorCode::kNotFound)) return collected;
    VARVE_ASSIGN(const bool newer, go_on_with_newer({&read, 1}, point));
    if (!newer) return collected;
    chain.truncate(newer_versions);
  }
}

Result<> TimelineReader::collect_from(const TimelineViewPointer& view, VersionChain& chain,
                                      const ReadPoint& point) {
  const Key& key = chain.key();
  for (const auto& layer : view->memory) {
    for (const Version& version : layer->find(key, point.lsn, chain.first_lsn())) {
      chain.add(version, layer);
    }
    if (chain.is_complete()) return {};
  }
  if (key == Key::max()) return {};  // No layer file holds that one.

  const LayerSnapshot& layers = *view->layers;
  const KeyRange range{key, key.next()};
  const auto image = layers.map.newest_image(key, point.lsn);
  const auto add_from = [&](LayerMap::Index index, Lsn first) -> Result<> {
    VARVE_ASSIGN(auto versions,
                 cache_.find(layers.layer(index), key, point.lsn, chain.first_lsn()));
    const auto found =
        std::make_shared<const std::vector<LayerReader::FoundVersion>>(std::move(versions));
    for (const LayerReader::FoundVersion& version : *found) {
      if (version.lsn < first) break;
      chain.add({key, version.lsn, version.kind, version.value}, found);
    }
    return {};
  };
  const Lsn first = image ? layers.layer(*image).name.lsn_end : Lsn{0};
  const auto deltas = layers.map.deltas(range, first, point.lsn);
  for (auto delta = deltas.rbegin(); delta != deltas.rend(); ++delta) {
    VARVE_TRY(add_from(*delta, first));
    if (chain.is_complete()) return {};
  }
  if (image) return add_from(*image, Lsn{0});
  VARVE_ASSIGN(const ReadPoint there, point_of_ancestor(range, point));
  return ancestor_->collect(chain, there);
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

std::vector<TimelineViewPointer> TimelineReader::views() const {
  std::vector<TimelineViewPointer> views;
  for (const TimelineReader* reader = this; reader != nullptr; reader = reader->ancestor_.get()) {
    views.push_back(reader->view());
  }
  return views;
}

Result<bool> TimelineReader::go_on_with_newer(std::span<const TimelineViewPointer> read,
                                              const ReadPoint& point) {
  if (read.empty()) return false;
  const auto& layers = read.front()->layers;
  // Somebody else may have met the same, or the owner gone on meanwhile.
  bool newer = view()->layers != layers;
  const auto found = locator_ ? locator_->newest_known() : nullptr;
  if (!newer && found && found->stamp.sequence > layers->manifest->stamp.sequence &&
      !found->deleted) {
    VARVE_TRY(check_kept(found->metadata.gc_cutoff_lsn, point));
    publish(view_of(found));
    newer = true;
  }
  if (!ancestor_ || read.size() == 1) return newer;
  VARVE_ASSIGN(const ReadPoint there, point_of_ancestor(KeyRange::all(), point));
  VARVE_ASSIGN(const bool newer_there, ancestor_->go_on_with_newer(read.subspan(1), there));
  return newer || newer_there;
}

}  // namespace varve
