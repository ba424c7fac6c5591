#include "storage_sync/layer_on_demand.h"

#include <algorithm>
#include <numeric>

#include "storage_sync/partial_layer_file.h"
#include "storage_sync/stored_layer_file.h"

namespace varve {
namespace {

// Frames ahead of a reader that goes on and on: at this size the time to answer no longer counts.
constexpr size_t kMaximumWindow = 32;

// How often a frame may be damaged on disk between its arrival and its reading.
constexpr int kMaximumRounds = 3;

Result<std::shared_ptr<LayerFrames>> scratch_frames(const SyncContext& context,
                                                    const std::filesystem::path& directory,
                                                    FrameForm form, const LayerEntry& layer) {
  if (form == FrameForm::kStored) {
    VARVE_ASSIGN(auto file, StoredLayerFile::scratch(layer, directory, context.codec_pool));
    return std::shared_ptr<LayerFrames>(std::move(file));
  }
  VARVE_ASSIGN(auto file, PartialLayerFile::scratch(layer, directory));
  return std::shared_ptr<LayerFrames>(std::move(file));
}

}  // namespace

Result<std::shared_ptr<LayerOnDemand>> LayerOnDemand::open(const SyncContext& context,
                                                           const std::filesystem::path& directory,
                                                           FrameForm form,
                                                           FrameFetcher::Options options) {
  const CallOptions call = options.call;
  VARVE_ASSIGN(auto frames, scratch_frames(context, directory, form, options.layer));
  auto fetcher = std::make_unique<FrameFetcher>(context, *frames, std::move(options));
  return std::shared_ptr<LayerOnDemand>(
      new LayerOnDemand(std::move(frames), std::move(fetcher), call));
}

Result<> LayerOnDemand::read_at(uint64_t offset, std::span<uint8_t> out) {
  if (out.empty()) return {};
  const FrameRange read{offset / kFrameSize, (offset + out.size() - 1) / kFrameSize + 1};
  std::vector<size_t> frames(read.size());
  std::iota(frames.begin(), frames.end(), read.first);
  FrameRange ahead = look_ahead(read);
  for (int round = 0; round < kMaximumRounds; ++round) {
    VARVE_TRY(fetcher_->fetch(frames, std::exchange(ahead, {}), call_));
    VARVE_ASSIGN(const bool complete, frames_->read_at(offset, out));
    if (complete) return {};
  }
  return make_error(ErrorCode::kCorrupted,
                    "what is written to {} does not stay as it was written: check the disk",
                    frames_->path().string());
}

FrameRange LayerOnDemand::look_ahead(FrameRange read) {
  const std::lock_guard lock(mutex_);
  const std::optional<size_t> expected = std::exchange(next_frame_, read.end);
  if (read.end == expected) return {};  // Still in the same frame.
  const bool goes_on = read.first == expected || read.first + 1 == expected;
  if (!goes_on) {
    window_ = 0;
    ahead_ = 0;
    return {};
  }
  window_ = std::clamp<size_t>(2 * window_, 1, kMaximumWindow);
  // Half a window in advance, so that the reader does not wait at the end of each.
  if (ahead_ > read.end + window_ / 2) return {};
  const FrameRange ahead{std::max(ahead_, read.end),
                         std::min(read.end + window_, frames_->frame_count())};
  ahead_ = ahead.end;
  return ahead;
}

void LayerOnDemand::fetch_ahead() {
  fetcher_->start({0, frames_->frame_count()});
}

Result<bool> LayerOnDemand::repair() {
  VARVE_ASSIGN(const size_t damaged, frames_->drop_damaged());
  return damaged > 0;
}

}  // namespace varve
