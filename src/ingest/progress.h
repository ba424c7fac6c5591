// How far an import or an export has come.
#pragma once

#include <cstdint>
#include <functional>

namespace varve {

struct Progress {
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;
};

// Called on the thread of the work, about once for every MiB and at the end. May be empty.
using ProgressCallback = std::function<void(const Progress&)>;

}  // namespace varve
