// The bytes of a layer file, wherever they are: implemented by whoever holds them, read by
// LayerReader.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"

namespace varve {

// Thread-safe. The bytes never change.
class LayerFileSource {
 public:
  virtual ~LayerFileSource() = default;

  // Of the whole file, bytes.
  virtual uint64_t size() const = 0;

  // Fills `out` from `offset` on; the end is not beyond size(). May block. Any code; the reader
  // hands it on as it is.
  virtual Result<> read_at(uint64_t offset, std::span<uint8_t> out) = 0;
};

}  // namespace varve
