#include "storage_sync/partial_layer_file.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/logging.h"
#include "fs/directory.h"

namespace varve {
namespace {

std::filesystem::path with_suffix(const std::filesystem::path& directory, const LayerName& name,
                                  std::string_view suffix) {
  return directory / (name.to_string() + std::string(suffix));
}

// The lock is that of the open file, so that it goes with it however the process ends. False when
// another has it.
Result<bool> lock_partial_file(const File& file) {
  const std::string path = file.path().string();
  if (flock(file.descriptor(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    return system_error(errno, "cannot lock " + path);
  }
  struct stat opened{};
  struct stat named{};
  if (fstat(file.descriptor(), &opened) != 0) return system_error(errno, "cannot examine " + path);
  // Between the opening and the lock another may have finished the file and given it the layer's
  // name, under which it must not be written any more.
  return stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino;
}

}  // namespace

Result<std::unique_ptr<PartialLayerFile>> PartialLayerFile::open(
    const LayerEntry& layer, const std::filesystem::path& directory, uint64_t map_interval) {
  const auto path = with_suffix(directory, layer.name, kPartialSuffix);
  VARVE_ASSIGN(File file, File::open(path, O_RDWR | O_CREAT));
  VARVE_ASSIGN(const bool locked, lock_partial_file(file));
  if (!locked) {
    return make_error(ErrorCode::kConflict, "{} is being fetched already", path.string());
  }
  // Nothing counts but what the map tells; what else there may be must not make the file longer.
  VARVE_TRY(file.truncate(layer.size));
  std::unique_ptr<PartialLayerFile> partial(new PartialLayerFile(layer, std::move(file)));
  partial->path_ = path;
  partial->map_interval_ = map_interval;
  partial->map_path_ = with_suffix(directory, layer.name, kFrameMapSuffix);

  auto map = FrameMap::read(partial->map_path_);
  if (map.ok() && map->layer.size == layer.size && map->layer.checksum == layer.checksum) {
    partial->adopt(*map);
  } else if (!map.ok() && !map.failed_with(ErrorCode::kNotFound)) {
    if (!map.failed_with(ErrorCode::kCorrupted)) return map.error();
    log_error("a partly fetched layer is fetched from the beginning", map.error());
  }
  return partial;
}

Result<std::unique_ptr<PartialLayerFile>> PartialLayerFile::scratch(
    const LayerEntry& layer, const std::filesystem::path& directory) {
  VARVE_ASSIGN(File file, File::open_scratch(with_suffix(directory, layer.name, kPartialSuffix)));
  return std::unique_ptr<PartialLayerFile>(new PartialLayerFile(layer, std::move(file)));
}

PartialLayerFile::~PartialLayerFile() {
  if (path_.empty() || closed_) return;
  const bool any = std::ranges::any_of(
      frames_, [](const FrameEntry& frame) { return frame.state != FrameState::kAbsent; });
  if (!any) {
    remove_files();
    return;
  }
  if (unsaved_bytes_ == 0) return;
  auto saved = save();
  if (!saved.ok()) log_error("what was fetched of a layer was not kept", saved.error());
}

void PartialLayerFile::adopt(const FrameMap& map) {
  for (size_t i = 0; i < frames_.size(); ++i) {
    if (!map.frames[i]) continue;
    frames_[i] = {FrameState::kUnchecked, *map.frames[i]};
    present_bytes_ += frame_raw_size(layer_.size, i);
  }
  if (map.table && map.layer.stored == layer_.stored) {
    table_ = std::make_shared<const FrameTable>(*map.table);
    table_stored_ = layer_.stored;
  }
}

std::shared_ptr<const FrameTable> PartialLayerFile::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

void PartialLayerFile::set_table(const StoredMember& stored, FrameTable table) {
  const std::lock_guard lock(mutex_);
  table_ = std::make_shared<const FrameTable>(std::move(table));
  table_stored_ = stored;
}

bool PartialLayerFile::has(size_t frame) const {
  const std::lock_guard lock(mutex_);
  return frames_[frame].state != FrameState::kAbsent;
}

uint64_t PartialLayerFile::present_bytes() const {
  const std::lock_guard lock(mutex_);
  return present_bytes_;
}

Result<> PartialLayerFile::put(size_t frame, const Frame& /*entry*/, ByteView raw) {
  VARVE_TRY(file_.write_at(frame * kFrameSize, raw));
  const uint64_t checksum = checksum64(raw);
  {
    const std::lock_guard lock(mutex_);
    if (frames_[frame].state == FrameState::kAbsent) present_bytes_ += raw.size();
    frames_[frame] = {FrameState::kPresent, checksum};
    unsaved_bytes_ += raw.size();
    if (path_.empty() || closed_ || saving_ || unsaved_bytes_ < map_interval_) return {};
    saving_ = true;
  }
  auto saved = save();
  const std::lock_guard lock(mutex_);
  saving_ = false;
  return saved;
}

Result<> PartialLayerFile::save() {
  FrameMap map = FrameMap::none_of(layer_);
  uint64_t saved_bytes = 0;
  {
    const std::lock_guard lock(mutex_);
    map.layer.stored = table_stored_;
    if (table_) map.table = *table_;
    for (size_t i = 0; i < frames_.size(); ++i) {
      if (frames_[i].state != FrameState::kAbsent) map.frames[i] = frames_[i].checksum;
    }
    saved_bytes = unsaved_bytes_;
  }
  auto synced = file_.sync();
  if (!synced.ok()) {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    return synced;
  }
  VARVE_TRY(map.write(map_path_));
  const std::lock_guard lock(mutex_);
  unsaved_bytes_ -= saved_bytes;
  return {};
}

Result<bool> PartialLayerFile::check_frame(size_t frame) {
  Bytes raw(frame_raw_size(layer_.size, frame));
  VARVE_ASSIGN(const size_t count, file_.read_at(frame * kFrameSize, raw));
  const bool right_size = count == raw.size();
  const uint64_t checksum = checksum64(raw);
  const std::lock_guard lock(mutex_);
  FrameEntry& entry = frames_[frame];
  if (right_size && checksum == entry.checksum) {
    entry.state = FrameState::kPresent;
    return true;
  }
  // Of several threads that found it only the first reports it.
  if (entry.state != FrameState::kAbsent) {
    entry.state = FrameState::kAbsent;
    present_bytes_ -= raw.size();
    spdlog::warn("frame {} of the partly fetched layer {} is damaged: it is fetched again", frame,
                 layer_.name.to_string());
  }
  return false;
}

Result<bool> PartialLayerFile::read_at(uint64_t offset, std::span<uint8_t> out) {
  if (out.empty()) return true;
  const size_t last = (offset + out.size() - 1) / kFrameSize;
  for (size_t frame = offset / kFrameSize; frame <= last; ++frame) {
    FrameState state = FrameState::kAbsent;
    {
      const std::lock_guard lock(mutex_);
      state = frames_[frame].state;
    }
    if (state == FrameState::kAbsent) return false;
    if (state == FrameState::kUnchecked) {
      VARVE_ASSIGN(const bool intact, check_frame(frame));
      if (!intact) return false;
    }
  }
  VARVE_TRY(file_.read_exactly_at(offset, out));
  return true;
}

Result<size_t> PartialLayerFile::drop_damaged() {
  size_t damaged = 0;
  for (size_t frame = 0; frame < frames_.size(); ++frame) {
    if (!has(frame)) continue;
    VARVE_ASSIGN(const bool intact, check_frame(frame));
    if (!intact) ++damaged;
  }
  return damaged;
}

Result<bool> PartialLayerFile::publish() {
  if (closed_) {
    return make_error(ErrorCode::kUnavailable, "{} could not be synced: fetch it again",
                      path_.string());
  }
  Checksum128Stream checksum;
  Bytes chunk(kFrameSize);
  for (uint64_t at = 0; at < layer_.size; at += chunk.size()) {
    VARVE_ASSIGN(const size_t count, file_.read_at(at, chunk));
    checksum.update(ByteView(chunk).first(std::min<uint64_t>(count, layer_.size - at)));
  }
  if (checksum.digest() != layer_.checksum) {
    VARVE_ASSIGN(const size_t damaged, drop_damaged());
    if (damaged > 0) return false;
    remove_files();
    return make_error(ErrorCode::kCorrupted,
                      "layer {}: every frame is right, but the checksum of the whole file does "
                      "not match",
                      layer_.name.to_string());
  }
  VARVE_TRY(file_.sync());
  auto name = path_;
  name.replace_filename(layer_.name.to_string());
  VARVE_TRY(rename_durably(path_, name));
  closed_ = true;
  VARVE_TRY(remove_file(map_path_));
  return true;
}

void PartialLayerFile::remove_files() {
  closed_ = true;
  // What cannot be removed now is overwritten or removed by the next download.
  std::ignore = remove_file(map_path_);
  std::ignore = remove_file(path_);
}

Result<> remove_partial_layer_files(const std::filesystem::path& directory) {
  const std::array<std::string, 4> suffixes{
      std::string(kPartialSuffix), std::string(kFrameMapSuffix),
      std::string(kFrameMapSuffix) + std::string(kTemporarySuffix), std::string(kTemporarySuffix)};
  VARVE_ASSIGN(const auto entries, list_directory(directory));
  for (const DirectoryEntry& entry : entries) {
    // Temporary files are those that a crash left.
    for (const std::string& suffix : suffixes) {
      if (!entry.name.ends_with(suffix)) continue;
      const auto stem = std::string_view(entry.name).substr(0, entry.name.size() - suffix.size());
      if (LayerName::parse(stem).ok()) VARVE_TRY(remove_file(directory / entry.name));
    }
  }
  return {};
}

}  // namespace varve
