// What a work directory notes about a layer file of which only some frames are here yet.
// The layout is in docs/formats/local-files.md; change both together.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "storage_sync/manifest.h"
#include "storage_sync/object_format.h"

namespace varve {

struct FrameMap {
  // Whose frames these are, and where the remote storage keeps them. Frames are cut from the raw
  // bytes, so those that are here stay right when the layer moves to another object; the table does
  // not.
  LayerEntry layer;
  // As far as it is known.
  std::optional<FrameTable> table;
  // XXH3-64 of the raw bytes of each frame that is here.
  std::vector<std::optional<uint64_t>> frames;

  bool operator==(const FrameMap&) const = default;

  // Nothing is here.
  static FrameMap none_of(const LayerEntry& layer);

  Bytes encode() const;
  // Corrupted for anything that encode() cannot have made.
  static Result<FrameMap> decode(ByteView bytes);

  // NotFound when there is none; Corrupted, naming the file, when it is damaged.
  static Result<FrameMap> read(const std::filesystem::path& path);
  Result<> write(const std::filesystem::path& path) const;
};

}  // namespace varve
