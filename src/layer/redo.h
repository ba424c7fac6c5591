// From records to images: implemented by whoever knows what the records of a timeline mean.
#pragma once

#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "layer/value.h"

namespace varve {

// Thread-safe.
class Redo {
 public:
  virtual ~Redo() = default;

  // The image of `key` after `records`, which are all of this key, in ascending order of their
  // LSNs; `base` is the image before them, empty when there was nothing. Only the first may be a
  // kFirstRecord. Corrupted when they cannot be applied.
  virtual Result<Bytes> apply(const Key& key, ByteView base, std::span<const Version> records) = 0;
};

}  // namespace varve
