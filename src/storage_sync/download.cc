#include "storage_sync/download.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include "fs/directory.h"
#include "fs/file.h"
#include "storage_sync/object_reader.h"

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

Result<> download_layers(const SyncContext& context, const std::filesystem::path& directory,
                         const TimelineManifest& manifest, const ByteProgress& progress,
                         const CallOptions& options) {
  const LogName log{manifest.id.tenant, manifest.id.timeline};
  uint64_t total = 0;
  for (const LayerEntry& layer : manifest.layers) total += layer.size;

  VARVE_TRY(create_directories_durably(directory));
  uint64_t done = 0;
  for (const LayerEntry& layer : manifest.layers) {
    const auto path = directory / layer.name.to_string();
    VARVE_ASSIGN(const bool present, path_exists(path));
    VARVE_ASSIGN(const bool intact, layer_file_is_intact(path, layer, options));
    if (present && !intact) {
      spdlog::warn("layer file {} is damaged: it is downloaded again", path.string());
    }
    if (!intact) {
      VARVE_TRY(download_layer(context, log, layer, directory, Durability::kSynced, options));
    }
    done += layer.size;
    if (progress) progress(done, total);
  }
  return {};
}

Result<> download_timeline(const SyncContext& context, const std::filesystem::path& directory,
                           const LocalManifest& target, const ByteProgress& progress,
                           const CallOptions& options) {
  VARVE_TRY(download_layers(context, directory, target.manifest, progress, options));
  return target.write(directory);
}

}  // namespace varve
