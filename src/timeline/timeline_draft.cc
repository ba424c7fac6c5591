#include "timeline/timeline_draft.h"

#include <algorithm>

#include "fs/directory.h"

namespace varve {

Result<TimelineDraft> TimelineDraft::create(Options options) {
  TimelineDraft draft(std::move(options));
  draft.directory_ = draft.options_.timelines_directory /
                     (draft.options_.id.timeline.to_string() + std::string(kDraftSuffix));
  draft.manifest_.manifest.id = draft.options_.id;
  VARVE_TRY(create_directories_durably(draft.directory_));
  return draft;
}

TimelineDraft::TimelineDraft(TimelineDraft&& other) noexcept
    : options_(std::move(other.options_)),
      directory_(std::exchange(other.directory_, {})),
      manifest_(std::move(other.manifest_)),
      writer_(std::move(other.writer_)),
      layer_start_(other.layer_start_),
      files_(other.files_) {}

TimelineDraft::~TimelineDraft() {
  writer_.reset();
  // What cannot be removed now is removed when the work directory is opened next.
  if (!directory_.empty()) std::ignore = remove_tree(directory_);
}

Result<> TimelineDraft::put_image(const Key& key, ByteView image) {
  if (writer_ && writer_->size() >= options_.layer_size) VARVE_TRY(close_layer(key));
  if (!writer_) {
    VARVE_ASSIGN(writer_, LayerWriter::create(directory_, files_++));
  }
  return writer_->put({.key = key, .lsn = options_.image_lsn, .value = image});
}

Result<> TimelineDraft::close_layer(const Key& end) {
  // The layers of an image cover every key there could be: what is in none of them did not exist.
  VARVE_ASSIGN(const LayerFileInfo info,
               writer_->finish(LayerName::image({layer_start_, end}, options_.image_lsn)));
  writer_.reset();
  layer_start_ = end;
  manifest_.manifest.layers.push_back(
      {.name = info.name, .size = info.size, .checksum = info.checksum, .stored = {}});
  return {};
}

Result<> TimelineDraft::finish(const TimelineMetadata& metadata) {
  if (!writer_ && !metadata.ancestor) {
    return make_error(ErrorCode::kInvalidArgument, "timeline {} has no data", options_.id);
  }
  if (writer_) VARVE_TRY(close_layer(Key::max()));
  manifest_.manifest.metadata = metadata;
  std::ranges::sort(manifest_.manifest.layers, {}, &LayerEntry::name);
  return manifest_.write(directory_);
}

Result<> TimelineDraft::publish() {
  const auto final_directory = options_.timelines_directory / options_.id.timeline.to_string();
  VARVE_TRY(rename_durably(directory_, final_directory));
  directory_.clear();
  return {};
}

}  // namespace varve
