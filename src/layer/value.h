// What a layer holds under (key, LSN).
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/lsn.h"
#include "layer/key.h"

namespace varve {

// The first byte of a stored value.
enum class ValueKind : uint8_t {
  kImage = 1,        // The whole value as of the LSN.
  kRecord = 2,       // A change to the version before it.
  kFirstRecord = 3,  // A change that makes the value anew, whatever was there.
  kTombstone = 4,    // From the LSN on the key does not exist. No bytes.
};

// Whether the version says nothing without the one before it.
constexpr bool needs_older(ValueKind kind) {
  return kind == ValueKind::kRecord;
}

// One version. The views live as long as the call that hands them out says.
struct Version {
  Key key;
  Lsn lsn;
  ValueKind kind = ValueKind::kImage;
  ByteView value;
};

}  // namespace varve
