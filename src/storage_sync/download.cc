#include "storage_sync/download.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <deque>

#include "fs/directory.h"
#include "fs/file.h"
#include "storage_sync/layer_download.h"
#include "storage_sync/partial_layer_file.h"

namespace varve {

Result<bool> layer_file_is_intact(const std::filesystem::path& path, const LayerEntry& layer,
                                  const CallOptions& options) {
  auto file = File::open(path, O_RDONLY);
  if (file.failed_with(ErrorCode::kNotFound)) return false;
  if (!file.ok()) return file.error();
  VARVE_ASSIGN(const uint64_t size, file->size());
  if (size != layer.size) return false;
  Checksum128Stream checksum;
  Bytes chunk(kFrameSize);
  for (uint64_t at = 0; at < size; at += chunk.size()) {
    VARVE_TRY(options.check("check of layer file " + path.string()));
    VARVE_ASSIGN(const size_t count, file->read_at(at, chunk));
    checksum.update(ByteView(chunk).first(count));
  }
  return checksum.digest() == layer.checksum;
}

namespace {

// The layers of a timeline that lack, a few at a time.
class TimelineDownload {
 public:
  TimelineDownload(const SyncContext& context, const std::filesystem::path& directory,
                   const TimelineManifest& manifest, const ByteProgress& progress,
                   const CallOptions& options)
      : context_(context),
        directory_(directory),
        manifest_(manifest),
        progress_(progress),
        options_(options) {
    for (const LayerEntry& layer : manifest.layers) total_ += layer.size;
  }

  Result<> run() {
    for (const LayerEntry& layer : manifest_.layers) {
      VARVE_ASSIGN(const bool lacks, this->lacks(layer));
      if (!lacks) {
        done_ += layer.size;
        report(0);
        continue;
      }
      while (pending_.size() >= std::max<size_t>(1, context_.options.parallel_layers)) {
        VARVE_TRY(finish_oldest());
      }
      VARVE_ASSIGN(LayerDownload started,
                   LayerDownload::start(context_, {manifest_.id.tenant, manifest_.id.timeline},
                                        layer, directory_, options_));
      pending_.emplace_back(&layer, std::move(started));
    }
    while (!pending_.empty()) VARVE_TRY(finish_oldest());
    return {};
  }

 private:
  Result<bool> lacks(const LayerEntry& layer) const {
    const auto path = directory_ / layer.name.to_string();
    VARVE_ASSIGN(const bool present, path_exists(path));
    if (!present) return true;
    VARVE_ASSIGN(const bool intact, layer_file_is_intact(path, layer, options_));
    if (!intact) spdlog::warn("layer file {} is damaged: it is downloaded again", path.string());
    return !intact;
  }

  Result<> finish_oldest() {
    auto& [layer, download] = pending_.front();
    VARVE_TRY(download.finish(options_, [this](uint64_t present) { report(present); }));
    done_ += layer->size;
    report(0);
    pending_.pop_front();
    return {};
  }

  void report(uint64_t of_oldest) {
    const uint64_t now = done_ + of_oldest;
    if (progress_ && now > reported_) progress_(reported_ = now, total_);
  }

  const SyncContext& context_;
  const std::filesystem::path& directory_;
  const TimelineManifest& manifest_;
  const ByteProgress& progress_;
  const CallOptions& options_;
  std::deque<std::pair<const LayerEntry*, LayerDownload>> pending_;
  uint64_t done_ = 0;
  uint64_t reported_ = 0;
  uint64_t total_ = 0;
};

}  // namespace

Result<> download_layers(const SyncContext& context, const std::filesystem::path& directory,
                         const TimelineManifest& manifest, const ByteProgress& progress,
                         const CallOptions& options) {
  VARVE_TRY(create_directories_durably(directory));
  VARVE_TRY(TimelineDownload(context, directory, manifest, progress, options).run());
  return remove_partial_layer_files(directory);
}

}  // namespace varve
