// The end of an object: compressed manifest and trailer.
#pragma once

#include "base/bytes.h"
#include "storage_sync/object_name.h"

namespace varve {

struct ObjectSeal {
  Bytes bytes;            // Follows the `content_size` bytes before it.
  uint64_t checksum = 0;  // ObjectTrailer::checksum of the whole object.
};

// `content_size` counts everything from the header to the last frame table.
Result<ObjectSeal> seal_object(ObjectKind kind, uint64_t content_size, ByteView manifest,
                               int compression_level);

}  // namespace varve
