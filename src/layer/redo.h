// From records to images: implemented by whoever knows what the records of a timeline mean.
#pragma once

#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "layer/value.h"

namespace varve {

// An image to be made.
struct RedoRequest {
  Key key;
  // That before the records; empty when there was nothing.
  ByteView base;
  // All of this key, in ascending order of their LSNs; only the first may be a kFirstRecord.
  std::span<const Version> records;
};

// Thread-safe.
class Redo {
 public:
  virtual ~Redo() = default;

  // The image of `key` after `records`, as a RedoRequest has them. Corrupted when they cannot be
  // applied.
  virtual Result<Bytes> apply(const Key& key, ByteView base, std::span<const Version> records) = 0;
  // The same for many, whose results come in order: where that is faster than one by one.
  virtual std::vector<Result<Bytes>> apply_many(std::span<const RedoRequest> requests) {
    std::vector<Result<Bytes>> results;
    results.reserve(requests.size());
    for (const RedoRequest& request : requests) {
      results.push_back(apply(request.key, request.base, request.records));
    }
    return results;
  }
};

}  // namespace varve
