// The layers that were in use and only remote when a server ended, so that the next one brings them
// into the work directory before they are asked for.
//
// It is a hint and nothing depends on it: where the file is lost, damaged, or names what is gone,
// the layers are read from the remote storage as they are needed.
#pragma once

#include <filesystem>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "layer/layer_name.h"

namespace varve {

// In the work directory.
inline constexpr std::string_view kWarmListFileName = "warm";

struct WarmLayer {
  TenantTimelineId timeline;
  LayerName layer;
  Timestamp used;  // Last.

  bool operator==(const WarmLayer&) const = default;
};

struct WarmList {
  // Most recently used first.
  std::vector<WarmLayer> layers;

  bool operator==(const WarmList&) const = default;

  Bytes encode() const;
  // Corrupted when these are not the bytes of a list.
  static Result<WarmList> decode(ByteView bytes);

  // NotFound when there is no such file; Corrupted, naming it, when it is damaged.
  static Result<WarmList> read(const std::filesystem::path& path);
  // Durable on return.
  Result<> write(const std::filesystem::path& path) const;
};

}  // namespace varve
