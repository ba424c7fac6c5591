// Reading versions in order: implemented by whatever holds a timeline's data, used by export.
#pragma once

#include <functional>

#include "layer/value.h"

namespace varve {

// Receives one image; the view is valid until the call returns. An error stops the scan and becomes
// its result.
using ImageSink = std::function<Result<>(const Key& key, ByteView image)>;

// Thread-safe.
class VersionSource {
 public:
  virtual ~VersionSource() = default;

  // Every key of the range that exists at `lsn`, in key order, with its image at that LSN.
  // NotFound for an LSN outside what is retained; Corrupted when a version is missing or damaged.
  virtual Result<> scan(const KeyRange& range, Lsn lsn, const ImageSink& sink) = 0;

  // The image of one key at `lsn`; NotFound when the key does not exist there.
  virtual Result<Bytes> get(const Key& key, Lsn lsn) = 0;
};

}  // namespace varve
