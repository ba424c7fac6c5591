// New layer files of a timeline.
#pragma once

#include <atomic>
#include <filesystem>

#include "layer/layer_writer.h"
#include "layer/version_cursor.h"
#include "storage_sync/manifest.h"

namespace varve {

// Thread-safe.
class LayerFiles {
 public:
  explicit LayerFiles(std::filesystem::path directory) : directory_(std::move(directory)) {}

  const std::filesystem::path& directory() const { return directory_; }
  Result<LayerWriter> create();

  // Removes the layer files that `listed` does not have, and unfinished ones.
  Result<> remove_unlisted(const std::vector<LayerEntry>& listed) const;
  Result<> remove(const std::vector<LayerEntry>& layers) const;

 private:
  const std::filesystem::path directory_;
  std::atomic<uint64_t> number_ = 0;
};

// As a manifest lists a layer that is not remote.
LayerEntry local_entry(const LayerFileInfo& file);

}  // namespace varve
