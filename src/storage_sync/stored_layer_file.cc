#include "storage_sync/stored_layer_file.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "storage_sync/frame_codec.h"

namespace varve {

Result<std::shared_ptr<StoredLayerFile>> StoredLayerFile::scratch(
    const LayerEntry& layer, const std::filesystem::path& directory, ThreadPool& codec_pool) {
  VARVE_ASSIGN(File file, File::open_scratch(directory / layer.name.to_string()));
  return std::shared_ptr<StoredLayerFile>(new StoredLayerFile(layer, std::move(file), codec_pool));
}

bool StoredLayerFile::has(size_t frame) const {
  const std::lock_guard lock(mutex_);
  return frames_[frame].has_value();
}

uint64_t StoredLayerFile::present_bytes() const {
  const std::lock_guard lock(mutex_);
  return present_bytes_;
}

Result<> StoredLayerFile::put(size_t frame, const Frame& entry, ByteView stored) {
  VARVE_TRY(file_.write_at(frame * kFrameSize, stored));
  const std::lock_guard lock(mutex_);
  if (!frames_[frame]) present_bytes_ += entry.stored_size;
  frames_[frame] = entry;
  return {};
}

Result<bool> StoredLayerFile::read_at(uint64_t offset, std::span<uint8_t> out) {
  while (!out.empty()) {
    const size_t frame = offset / kFrameSize;
    const size_t begin = offset % kFrameSize;
    VARVE_ASSIGN(const RawPointer raw, decoded(frame));
    if (!raw) return false;
    const size_t count = std::min(out.size(), frame_raw_size(size_, frame) - begin);
    std::copy_n(raw.get() + begin, count, out.begin());
    out = out.subspan(count);
    offset += count;
  }
  return true;
}

Result<StoredLayerFile::RawPointer> StoredLayerFile::decoded(size_t frame) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!frames_[frame]) return RawPointer();
    const auto found = find(frame);
    if (found == decoded_.end()) {
      add(frame, State::kDecoding);
      break;
    }
    decoded_.splice(decoded_.begin(), decoded_, found);
    if (found->state == State::kWaiting) {
      found->state = State::kDecoding;
      break;
    }
    if (found->state == State::kDecoded) {
      const RawPointer raw = found->raw;
      if (!is_next(frame + 1)) return raw;
      add(frame + 1, State::kWaiting);
      lock.unlock();
      decode_ahead(frame + 1);
      return raw;
    }
    changed_.wait(lock);
  }
  const Frame entry = *frames_[frame];
  lock.unlock();
  return decode(frame, entry);
}

// Whether it would be read next by who has read the two frames before it.
bool StoredLayerFile::is_next(size_t frame) {
  return frame >= 2 && frame < frames_.size() && frames_[frame] && find(frame) == decoded_.end() &&
         find(frame - 2) != decoded_.end();
}

void StoredLayerFile::decode_ahead(size_t frame) {
  codec_pool_.submit([file = weak_from_this(), frame] {
    const auto self = file.lock();
    if (!self) return;
    Frame entry;
    {
      const std::lock_guard lock(self->mutex_);
      const auto found = self->find(frame);
      const bool is_wanted =
          found != self->decoded_.end() && found->state == State::kWaiting && self->frames_[frame];
      if (!is_wanted) return;
      found->state = State::kDecoding;
      entry = *self->frames_[frame];
    }
    // A failure shows when it is read.
    std::ignore = self->decode(frame, entry);
  });
}

// Of a frame that is marked as being decoded, by the thread that did so.
Result<StoredLayerFile::RawPointer> StoredLayerFile::decode(size_t frame, const Frame& entry) {
  const auto read = [&]() -> Result<RawPointer> {
    VARVE_ASSIGN(const Bytes stored, read_stored(frame, entry));
    auto raw = std::make_shared_for_overwrite<uint8_t[]>(entry.raw_size);
    VARVE_TRY(decode_frame(entry, stored, {raw.get(), entry.raw_size}));
    return RawPointer(std::move(raw));
  };
  auto raw = read();

  const std::lock_guard lock(mutex_);
  changed_.notify_all();
  const auto found = find(frame);
  if (raw.ok()) {
    if (found != decoded_.end()) {
      found->state = State::kDecoded;
      found->raw = *raw;
    }
    return raw;
  }
  if (found != decoded_.end()) decoded_.erase(found);
  if (!raw.failed_with(ErrorCode::kCorrupted)) return raw;
  drop(frame);
  return RawPointer();
}

// What the file has of it, whether that is right or not.
Result<Bytes> StoredLayerFile::read_stored(size_t frame, const Frame& entry) const {
  Bytes stored(entry.stored_size);
  VARVE_ASSIGN(const size_t count, file_.read_at(frame * kFrameSize, stored));
  stored.resize(count);
  return stored;
}

Result<size_t> StoredLayerFile::drop_damaged() {
  size_t damaged = 0;
  for (size_t frame = 0; frame < frames_.size(); ++frame) {
    std::optional<Frame> entry;
    {
      const std::lock_guard lock(mutex_);
      entry = frames_[frame];
    }
    if (!entry) continue;
    VARVE_ASSIGN(const Bytes stored, read_stored(frame, *entry));
    if (check_frame(*entry, stored).ok()) continue;
    ++damaged;
    const std::lock_guard lock(mutex_);
    drop(frame);
  }
  return damaged;
}

void StoredLayerFile::release_memory() {
  const std::lock_guard lock(mutex_);
  std::erase_if(decoded_, [](const DecodedFrame& frame) { return frame.state == State::kDecoded; });
}

StoredLayerFile::Decoded::iterator StoredLayerFile::find(size_t frame) {
  return std::ranges::find(decoded_, frame, &DecodedFrame::frame);
}

StoredLayerFile::DecodedFrame& StoredLayerFile::add(size_t frame, State state) {
  decoded_.push_front({.frame = frame, .state = state});
  for (auto last = std::prev(decoded_.end());
       decoded_.size() > kKeptFrames && last != decoded_.begin();) {
    const auto surplus = last--;
    if (surplus->state == State::kDecoded) decoded_.erase(surplus);
  }
  return decoded_.front();
}

void StoredLayerFile::drop(size_t frame) {
  // Of several threads that found it only the first reports it.
  if (!frames_[frame]) return;
  present_bytes_ -= frames_[frame]->stored_size;
  frames_[frame].reset();
  spdlog::warn("frame {} of the fetched layer {} is damaged: it is fetched again", frame,
               name_.to_string());
}

}  // namespace varve
