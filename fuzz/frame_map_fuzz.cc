// The map of a partly fetched layer file.
#include <cstdlib>

#include "storage_sync/frame_map.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto map = varve::FrameMap::decode({data, size});
  if (!map.ok()) return 0;
  // What can be read can be written, and is then read as the same.
  const auto again = varve::FrameMap::decode(map->encode());
  if (!again.ok() || *again != *map) std::abort();
  return 0;
}
