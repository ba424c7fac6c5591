// Writes one layer file.
#pragma once

#include <filesystem>
#include <memory>

#include "base/checksum.h"
#include "layer/layer_name.h"
#include "layer/value.h"

namespace varve {

// A finished file, as manifests list it.
struct LayerFileInfo {
  LayerName name;
  uint64_t size = 0;     // Bytes.
  Checksum128 checksum;  // Over the whole file.
};

// Not thread-safe. The file carries the temporary suffix until finish(), and is removed by the
// destructor if that was never reached.
class LayerWriter {
 public:
  // `file_number` tells apart the temporary files of several writers in one directory.
  static Result<LayerWriter> create(const std::filesystem::path& directory, uint64_t file_number);

  LayerWriter(LayerWriter&&) noexcept;
  LayerWriter& operator=(LayerWriter&&) noexcept;
  ~LayerWriter();

  // Keys must ascend; versions of one key must come newest first. InvalidArgument otherwise.
  Result<> put(const Version& version);

  // Bytes written so far, without index and filter.
  uint64_t size() const;

  // Writes index and filter, syncs, and gives the file its name, durably. At least one version must
  // have been put.
  Result<LayerFileInfo> finish(const LayerName& name);

 private:
  struct State;
  explicit LayerWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace varve
