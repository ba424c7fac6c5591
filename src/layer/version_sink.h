// Writing versions in order: implemented by the timeline, used by import.
#pragma once

#include "layer/value.h"

namespace varve {

// Not thread-safe.
class VersionSink {
 public:
  virtual ~VersionSink() = default;

  // Keys must come in strictly ascending order, all at the one LSN of the import. The view is
  // copied before the call returns.
  virtual Result<> put_image(const Key& key, ByteView image) = 0;
};

}  // namespace varve
