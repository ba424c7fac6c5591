#include "timeline/timeline.h"

#include <algorithm>
#include <future>
#include <set>

#include "base/logging.h"
#include "timeline/garbage.h"

namespace varve {
namespace {

std::shared_ptr<const LayerSnapshot> snapshot_of(const KeptTimeline& kept) {
  auto state = kept.get();
  return std::make_shared<const LayerSnapshot>(
      std::shared_ptr<const TimelineManifest>(state, &state->manifest));
}

void apply_change(const LayerChange& change, std::vector<LayerEntry>& layers) {
  std::set<LayerName> removed;
  for (const LayerEntry& layer : change.removed) removed.insert(layer.name);
  std::erase_if(layers, [&](const LayerEntry& layer) { return removed.contains(layer.name); });
  layers.insert(layers.end(), change.added.begin(), change.added.end());
  std::ranges::sort(layers, {}, &LayerEntry::name);
}

}  // namespace

Result<std::unique_ptr<Timeline>> Timeline::open(std::shared_ptr<KeptTimeline> kept,
                                                 Options options) {
  std::unique_ptr<Timeline> timeline(new Timeline(std::move(kept), std::move(options)));
  VARVE_TRY(timeline->files_.remove_unlisted(timeline->layers_->manifest->layers));
  return timeline;
}

Timeline::Timeline(std::shared_ptr<KeptTimeline> kept, Options options)
    : kept_(std::move(kept)),
      options_(std::move(options)),
      files_(kept_->directory()),
      reader_(make_reader(options_.cache, options_.ancestor, leased_or_pinned())),
      open_(std::make_shared<InMemoryLayer>(large_chunks_)),
      open_start_(reader_->metadata().disk_consistent_lsn),
      last_{.start = reader_->metadata().previous_record_lsn, .end = open_start_},
      layers_(snapshot_of(*kept_)) {
  const std::lock_guard lock(mutex_);
  publish();
}

std::shared_ptr<TimelineReader> Timeline::make_reader(LayerCache::Options cache,
                                                      std::shared_ptr<TimelineReader> ancestor,
                                                      IsRetained is_retained) const {
  cache.directory = kept_->directory();
  return std::make_shared<TimelineReader>(
      kept_->get()->manifest, TimelineReader::Options{.cache = std::move(cache),
                                                      .ancestor = std::move(ancestor),
                                                      .redo = options_.redo,
                                                      .is_live = true,
                                                      .is_retained = std::move(is_retained)});
}

Timeline::IsRetained Timeline::leased_or_pinned() const {
  return
      [this](Lsn lsn) { return is_leased(lsn) || (options_.is_pinned && options_.is_pinned(lsn)); };
}

void Timeline::add_reader(const std::shared_ptr<TimelineReader>& reader, Lsn last) {
  std::erase_if(other_readers_, [](const auto& other) { return other.expired(); });
  other_readers_.push_back(reader);
  reader->publish(reader_->view());
  reader->allow_up_to(last);
}

std::shared_ptr<TimelineReader> Timeline::open_reader(ReadPattern pattern,
                                                      const std::filesystem::path& scratch_parent,
                                                      std::shared_ptr<TimelineReader> ancestor) {
  LayerCache::Options cache = options_.cache;
  cache.pattern = pattern;
  cache.scratch_parent = scratch_parent;
  auto reader = make_reader(std::move(cache), std::move(ancestor), leased_or_pinned());
  const std::lock_guard lock(mutex_);
  add_reader(reader, last_.end);
  return reader;
}

std::shared_ptr<TimelineReader> Timeline::open_feed_reader() {
  auto reader = make_reader(options_.cache, options_.ancestor, [](Lsn) { return true; });
  const std::lock_guard lock(mutex_);
  add_reader(reader, Lsn{UINT64_MAX});
  return reader;
}

Result<> Timeline::check(const RecordEnd& last, std::span<const Version> versions) const {
  if (is_broken_) {
    return make_error(ErrorCode::kConflict,
                      "timeline {} has taken half of a record: it must be opened again",
                      layers_->manifest->id);
  }
  const bool all_new = std::ranges::all_of(
      versions, [&](const Version& each) { return last_.end < each.lsn && each.lsn <= last.end; });
  if (last_.end < last.end && all_new) return {};
  return make_error(ErrorCode::kInvalidArgument,
                    "records up to {} cannot follow those up to {} on timeline {}", last.end,
                    last_.end, layers_->manifest->id);
}

Result<> Timeline::ingest(const RecordEnd& last, std::span<const Version> versions) {
  const std::lock_guard lock(mutex_);
  VARVE_TRY(check(last, versions));
  for (const Version& version : versions) {
    auto put = open_->put(version);
    if (put.ok()) continue;
    is_broken_ = true;
    return put;
  }
  last_ = last;
  reader_->allow_up_to(last.end);
  if (open_->bytes() >= options_.checkpoint_distance) freeze_open_layer();
  return {};
}

Lsn Timeline::last_record_lsn() const {
  const std::lock_guard lock(mutex_);
  return last_.end;
}

Timeline::RecordEnd Timeline::last_record() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

Lsn Timeline::disk_consistent_lsn() const {
  return kept_->get()->manifest.metadata.disk_consistent_lsn;
}

Lsn Timeline::oldest_lsn() const {
  return kept_->get()->manifest.metadata.gc_cutoff_lsn;
}

size_t Timeline::memory_bytes() const {
  const std::lock_guard lock(mutex_);
  size_t bytes = open_->bytes();
  for (const FrozenLayer& frozen : frozen_) bytes += frozen.content->bytes();
  return bytes;
}

Result<> Timeline::wait_for_room(const CallOptions& options) {
  for (;;) {
    const uint64_t seen = room_signal_.count();
    if (memory_bytes() < options_.memory_limit) return {};
    VARVE_TRY(options.check("wait for room in memory"));
    // The open layer may be all there is.
    freeze();
    room_signal_.wait(seen, options.deadline.remaining(), system_clock(), options.stop);
  }
}

void Timeline::freeze() {
  const std::lock_guard lock(mutex_);
  freeze_open_layer();
}

void Timeline::freeze_open_layer() {
  // The next layer will hardly need more than this one, and none while nothing comes.
  large_chunks_->trim(open_->large_chunk_count());
  if (is_broken_ || last_.end == open_start_) return;
  frozen_.push_back({.content = std::move(open_), .start = open_start_, .last = last_});
  open_ = std::make_shared<InMemoryLayer>(large_chunks_);
  open_start_ = last_.end;
  publish();
  frozen_signal_.notify();
}

void Timeline::publish() {
  auto view = std::make_shared<TimelineView>();
  view->memory.push_back(open_);
  for (auto frozen = frozen_.rbegin(); frozen != frozen_.rend(); ++frozen) {
    view->memory.push_back(frozen->content);
  }
  view->layers = layers_;
  for (const auto& other : other_readers_) {
    if (const auto reader = other.lock()) reader->publish(view);
  }
  reader_->publish(std::move(view));
}

void Timeline::take_over_layers() {
  const std::lock_guard turn(take_over_turn_);
  auto layers = snapshot_of(*kept_);
  const std::lock_guard lock(mutex_);
  layers_ = std::move(layers);
  // What is in layer files by now.
  const Lsn on_disk = layers_->manifest->metadata.disk_consistent_lsn;
  while (!frozen_.empty() && frozen_.front().last.end <= on_disk) frozen_.pop_front();
  publish();
  room_signal_.notify();
}

Result<LayerEntry> Timeline::write_layer(const FrozenLayer& frozen) {
  VARVE_ASSIGN(LayerWriter writer, files_.create());
  const auto versions = frozen.content->cursor(KeyRange::all());
  while (versions->current() != nullptr) {
    VARVE_TRY(writer.put(*versions->current()));
    VARVE_TRY(versions->next());
  }
  VARVE_ASSIGN(const LayerFileInfo file,
               writer.finish(LayerName::delta(KeyRange::all(), Lsn{frozen.start.value + 1},
                                              Lsn{frozen.last.end.value + 1})));
  return local_entry(file);
}

Result<std::vector<LayerEntry>> Timeline::write_layers(const std::vector<FrozenLayer>& frozen) {
  // More than one has frozen where the feed is faster than one thread writes.
  std::vector<std::future<Result<LayerEntry>>> pending;
  for (const FrozenLayer& layer : frozen) {
    if (layer.content->version_count() == 0) continue;
    pending.push_back(std::async(std::launch::async, [&] { return write_layer(layer); }));
  }
  std::vector<LayerEntry> written;
  for (auto& layer : pending) {
    VARVE_ASSIGN(LayerEntry entry, layer.get());
    written.push_back(std::move(entry));
  }
  return written;
}

Result<bool> Timeline::flush() {
  const std::lock_guard turn(flush_turn_);
  std::vector<FrozenLayer> frozen;
  {
    const std::lock_guard lock(mutex_);
    frozen.assign(frozen_.begin(), frozen_.end());
  }
  if (frozen.empty()) return false;
  LayerChange change;
  VARVE_ASSIGN(change.added, write_layers(frozen));
  VARVE_TRY(kept_->change([&](LocalManifest& state) -> Result<> {
    apply_change(change, state.manifest.layers);
    state.manifest.metadata.disk_consistent_lsn = frozen.back().last.end;
    state.manifest.metadata.previous_record_lsn = frozen.back().last.start;
    return {};
  }));
  take_over_layers();
  return true;
}

Result<> Timeline::checkpoint() {
  freeze();
  VARVE_TRY(flush());
  return {};
}

Result<bool> Timeline::compact() {
  const std::lock_guard turn(compaction_turn_);
  VARVE_ASSIGN(const LayerChange merged, merge_deltas(*reader_->view()->layers, reader_->cache(),
                                                      files_, options_.compaction));
  if (!merged.empty()) {
    VARVE_TRY(change_layers(merged));
    free_files(merged.removed);
  }
  const auto layers = reader_->view()->layers;
  const TimelineMetadata& metadata = layers->manifest->metadata;
  // Not before it can be read: until the WAL of a base backup is in, images would be of no moment.
  if (metadata.disk_consistent_lsn < metadata.gc_cutoff_lsn) return !merged.empty();
  VARVE_ASSIGN(const LayerChange images, make_images(*layers, metadata.disk_consistent_lsn,
                                                     *reader_, files_, options_.compaction));
  if (!images.empty()) VARVE_TRY(change_layers(images));
  return !merged.empty() || !images.empty();
}

Result<> Timeline::change_layers(const LayerChange& change,
                                 const std::function<void(LocalManifest&)>& also) {
  VARVE_TRY(kept_->change([&](LocalManifest& state) -> Result<> {
    apply_change(change, state.manifest.layers);
    if (also) also(state);
    return {};
  }));
  take_over_layers();
  return {};
}

void Timeline::free_files(const std::vector<LayerEntry>& replaced) {
  if (replaced.empty()) return;
  const auto turn = kept_->take_commit_turn();
  auto removed = files_.remove(replaced);
  if (!removed.ok()) {
    log_error("replaced layer files are left until the next start", removed.error());
  }
}

bool Timeline::is_leased(Lsn lsn) const {
  const std::lock_guard lock(mutex_);
  return leased_.contains(lsn);
}

Timeline::Lease::~Lease() {
  if (timeline_ == nullptr) return;
  const std::lock_guard lock(timeline_->mutex_);
  timeline_->leased_.erase(at_);
}

Result<Timeline::Lease> Timeline::retain(Lsn lsn) {
  // A collection either sees the lease or has moved the cutoff.
  const std::lock_guard turn(collection_turn_);
  VARVE_TRY(reader_->check_readable(lsn));
  const std::lock_guard lock(mutex_);
  return Lease(*this, leased_.insert(lsn));
}

Result<size_t> Timeline::collect_garbage(Lsn cutoff, const FindKeptPoints& kept_points) {
  // Not beside a compaction, which may be making images of what is collected.
  const std::lock_guard turn(compaction_turn_);
  VARVE_ASSIGN(const LayerChange change, move_cutoff(cutoff, kept_points));
  free_files(change.removed);
  return change.removed.size();
}

Result<LayerChange> Timeline::move_cutoff(Lsn cutoff, const FindKeptPoints& kept_points) {
  const std::lock_guard turn(collection_turn_);
  const auto layers = reader_->view()->layers;
  const TimelineMetadata& metadata = layers->manifest->metadata;
  if (metadata.disk_consistent_lsn < cutoff) {
    return make_error(ErrorCode::kInvalidArgument,
                      "timeline {}: nothing can be given up below {}, since only what lies below "
                      "{} is in layer files",
                      layers->manifest->id, cutoff, metadata.disk_consistent_lsn);
  }
  cutoff = std::max(cutoff, metadata.gc_cutoff_lsn);
  RetainedLsns retained{.cutoff = cutoff};
  {
    const std::lock_guard lock(mutex_);
    retained.pins.insert(leased_.begin(), leased_.end());
  }
  retained.pins.merge(kept_points());
  LayerChange change{.added = {}, .removed = find_garbage(*layers, retained)};
  if (change.empty() && cutoff == metadata.gc_cutoff_lsn) return change;
  VARVE_TRY(change_layers(
      change, [&](LocalManifest& state) { state.manifest.metadata.gc_cutoff_lsn = cutoff; }));
  return change;
}

Result<> Timeline::scan(const KeyRange& range, Lsn lsn, const ImageSink& sink) {
  return reader_->scan(range, lsn, sink);
}

Result<Bytes> Timeline::get(const Key& key, Lsn lsn) {
  return reader_->get(key, lsn);
}

}  // namespace varve
