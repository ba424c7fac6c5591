#include "timeline/compaction.h"

#include <algorithm>
#include <optional>

namespace varve {
namespace {

// Writes delta layers that share the keys of what is put.
class DeltaWriter {
 public:
  DeltaWriter(LayerFiles& files, Lsn start, Lsn end, uint64_t layer_size)
      : files_(files), start_(start), end_(end), layer_size_(layer_size) {}

  Result<> put(const Version& version) {
    // The versions of a key stay together.
    if (writer_ && version.key != last_ && writer_->size() >= layer_size_) VARVE_TRY(close());
    if (!writer_) {
      VARVE_ASSIGN(writer_, files_.create());
      first_ = version.key;
    }
    last_ = version.key;
    return writer_->put(version);
  }

  Result<std::vector<LayerEntry>> finish() {
    if (writer_) VARVE_TRY(close());
    return std::move(layers_);
  }

 private:
  Result<> close() {
    VARVE_ASSIGN(const LayerFileInfo file,
                 writer_->finish(LayerName::delta({first_, last_.next()}, start_, end_)));
    writer_.reset();
    layers_.push_back(local_entry(file));
    return {};
  }

  LayerFiles& files_;
  const Lsn start_;
  const Lsn end_;
  const uint64_t layer_size_;
  std::optional<LayerWriter> writer_;
  Key first_;
  Key last_;
  std::vector<LayerEntry> layers_;
};

// Writes image layers that together cover a range.
class ImageWriter {
 public:
  ImageWriter(LayerFiles& files, const KeyRange& range, Lsn lsn, uint64_t layer_size)
      : files_(files), range_(range), lsn_(lsn), layer_size_(layer_size), start_(range.start) {}

  Result<> put(const Key& key, ByteView image) {
    if (writer_ && writer_->size() >= layer_size_) VARVE_TRY(close(key));
    if (!writer_) {
      VARVE_ASSIGN(writer_, files_.create());
    }
    return writer_->put({.key = key, .lsn = lsn_, .value = image});
  }

  // Empty when there was no key.
  Result<std::vector<LayerEntry>> finish() {
    if (writer_) VARVE_TRY(close(range_.end));
    return std::move(layers_);
  }

 private:
  Result<> close(const Key& end) {
    VARVE_ASSIGN(const LayerFileInfo file, writer_->finish(LayerName::image({start_, end}, lsn_)));
    writer_.reset();
    start_ = end;
    layers_.push_back(local_entry(file));
    return {};
  }

  LayerFiles& files_;
  const KeyRange range_;
  const Lsn lsn_;
  const uint64_t layer_size_;
  Key start_;
  std::optional<LayerWriter> writer_;
  std::vector<LayerEntry> layers_;
};

}  // namespace

bool holds_all_keys(const LayerName& name) {
  return !name.is_image && name.keys == KeyRange::all();
}

Result<LayerChange> merge_deltas(const LayerSnapshot& layers, LayerCache& cache, LayerFiles& files,
                                 const CompactionOptions& options) {
  LayerChange change;
  std::ranges::copy_if(layers.manifest->layers, std::back_inserter(change.removed), holds_all_keys,
                       &LayerEntry::name);
  if (change.removed.size() < options.merged_layers) return LayerChange();

  Lsn start = Lsn::max();
  Lsn end{0};
  std::vector<VersionCursorPointer> cursors;
  for (const LayerEntry& layer : change.removed) {
    start = std::min(start, layer.name.lsn_start);
    end = std::max(end, layer.name.lsn_end);
    VARVE_ASSIGN(auto cursor, cache.cursor(layer, KeyRange::all()));
    cursors.push_back(std::move(cursor));
  }
  const auto versions = merge(std::move(cursors));
  DeltaWriter writer(files, start, end, options.layer_size);
  while (versions->current() != nullptr) {
    VARVE_TRY(writer.put(*versions->current()));
    VARVE_TRY(versions->next());
  }
  VARVE_ASSIGN(change.added, writer.finish());
  return change;
}

Result<LayerChange> make_images(const LayerSnapshot& layers, Lsn lsn, VersionSource& source,
                                LayerFiles& files, const CompactionOptions& options) {
  LayerChange change;
  for (const LayerMap::Part& part : layers.map.newest_images(KeyRange::all(), lsn)) {
    // What a branch inherits is not copied into it.
    if (!part.image) continue;
    const Lsn first = layers.map.layer(*part.image).lsn_end;
    // Those of all keys say nothing about these ones, and will be merged.
    const auto above = std::ranges::count_if(
        layers.map.deltas(part.range, first, lsn),
        [&](LayerMap::Index delta) { return !holds_all_keys(layers.map.layer(delta)); });
    if (static_cast<size_t>(above) < options.layers_above_image) continue;
    ImageWriter writer(files, part.range, lsn, options.layer_size);
    VARVE_TRY(source.scan(part.range, lsn,
                          [&](const Key& key, ByteView image) { return writer.put(key, image); }));
    VARVE_ASSIGN(auto images, writer.finish());
    std::ranges::move(images, std::back_inserter(change.added));
  }
  return change;
}

}  // namespace varve
