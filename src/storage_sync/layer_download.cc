#include "storage_sync/layer_download.h"

namespace varve {
namespace {

// A disk that damages what is written to it, time and again, is not to be written to for ever.
constexpr int kMaximumRounds = 3;

}  // namespace

Result<LayerDownload> LayerDownload::start(const SyncContext& context, const LogName& log,
                                           const LayerEntry& layer,
                                           const std::filesystem::path& directory,
                                           const CallOptions& options) {
  VARVE_ASSIGN(auto file, PartialLayerFile::open(layer, directory));
  auto fetcher = std::make_unique<FrameFetcher>(
      context, *file,
      FrameFetcher::Options{
          .log = log, .layer = layer, .call = options, .report_failed_start = true});
  fetcher->start({0, file->frame_count()});
  return LayerDownload(std::move(file), std::move(fetcher));
}

Result<> LayerDownload::finish(const CallOptions& options,
                               const std::function<void(uint64_t)>& progress) {
  for (int round = 0; round < kMaximumRounds; ++round) {
    VARVE_TRY(fetcher_->fetch(FrameRange{0, file_->frame_count()}, options,
                              [&] { progress(file_->present_bytes()); }));
    VARVE_ASSIGN(const bool published, file_->publish());
    if (published) return {};
  }
  return make_error(ErrorCode::kCorrupted,
                    "what is written to {} does not stay as it was written: check the disk",
                    file_->path().string());
}

}  // namespace varve
