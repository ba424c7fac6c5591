// Bringing one layer file into a work directory, frame by frame.
#pragma once

#include "storage_sync/frame_fetcher.h"
#include "storage_sync/partial_layer_file.h"

namespace varve {

// Not thread-safe. What was fetched when it is destroyed unfinished is kept for the next time, also
// over a crash as far as it was noted.
class LayerDownload {
 public:
  // Begins in the background.
  static Result<LayerDownload> start(const SyncContext& context, const LogName& log,
                                     const LayerEntry& layer,
                                     const std::filesystem::path& directory,
                                     const CallOptions& options);

  // Waits until the file is there under its name, whole, verified and durable. `progress` is told
  // how many raw bytes are here.
  Result<> finish(const CallOptions& options, const std::function<void(uint64_t)>& progress);

 private:
  LayerDownload(std::unique_ptr<PartialLayerFile> file, std::unique_ptr<FrameFetcher> fetcher)
      : file_(std::move(file)), fetcher_(std::move(fetcher)) {}

  std::unique_ptr<PartialLayerFile> file_;
  // Destroyed first: its requests write to the file.
  std::unique_ptr<FrameFetcher> fetcher_;
};

}  // namespace varve
