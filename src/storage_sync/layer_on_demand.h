// A layer file of which only what is read is fetched.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>

#include "layer/layer_file_source.h"
#include "storage_sync/frame_fetcher.h"
#include "storage_sync/layer_frames.h"

namespace varve {

// Thread-safe. What was fetched stays in a scratch file for as long as this lives: in the raw form
// to be read here and there, in the stored form to be read about once and in order. Who reads on
// where the last read ended gets more and more fetched ahead.
class LayerOnDemand : public LayerFileSource {
 public:
  // The scratch file lies in `directory`. No request is made before something is read. The context
  // outlives it.
  static Result<std::shared_ptr<LayerOnDemand>> open(const SyncContext& context,
                                                     const std::filesystem::path& directory,
                                                     FrameForm form, FrameFetcher::Options options);

  uint64_t size() const override { return frames_->size(); }
  // Errors as of RemoteStorage::get; Corrupted also when frame table or frames are damaged.
  Result<> read_at(uint64_t offset, std::span<uint8_t> out) override;

  // Begins to fetch all of it, in as few requests as there can be, and waits for nothing.
  void fetch_ahead();

  // That the scratch file takes.
  uint64_t present_bytes() const { return frames_->present_bytes(); }
  // Nobody will read soon.
  void release_memory() { frames_->release_memory(); }

  // For when what was read turned out to be damaged: compares what is here with what came, and
  // drops what differs, to be fetched again. False when nothing does.
  Result<bool> repair();

 private:
  LayerOnDemand(std::shared_ptr<LayerFrames> frames, std::unique_ptr<FrameFetcher> fetcher,
                CallOptions call)
      : call_(std::move(call)), frames_(std::move(frames)), fetcher_(std::move(fetcher)) {}
  // Which frames to fetch ahead of a reader of `read`; often none.
  FrameRange look_ahead(FrameRange read);

  const CallOptions call_;
  const std::shared_ptr<LayerFrames> frames_;
  // Destroyed first: its requests fill them.
  const std::unique_ptr<FrameFetcher> fetcher_;

  std::mutex mutex_;
  // The frame after the last read, how many are wanted ahead of it, and the frame up to which they
  // were asked for.
  std::optional<size_t> next_frame_;
  size_t window_ = 0;
  size_t ahead_ = 0;
};

}  // namespace varve
