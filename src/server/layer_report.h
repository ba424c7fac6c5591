// What a layer file holds, for people.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "layer/layer_name.h"

namespace varve {

struct LayerReport {
  LayerName name;
  uint64_t file_size = 0;  // Bytes.
  uint64_t versions = 0;
  uint64_t value_bytes = 0;
  // Versions that lie one behind the other in the same relation fork, or are of the same kind.
  struct Group {
    std::string what;  // "relation 1663/5/16384 main", "slru block", ...
    uint64_t versions = 0;
    uint64_t value_bytes = 0;
  };
  std::vector<Group> groups;
};

// Reads the whole file, and so checks every block of it.
Result<LayerReport> report_layer(const std::filesystem::path& path);

}  // namespace varve
