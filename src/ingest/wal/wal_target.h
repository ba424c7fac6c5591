// Where versions from the WAL go, and where what was there before is read.
#pragma once

#include <span>

#include "layer/version_source.h"

namespace varve {

// Used by one thread at a time.
class WalTarget {
 public:
  virtual ~WalTarget() = default;

  // What records changed, up to and including one that starts and ends there; they show together.
  // Ascending by LSN for each key.
  virtual Result<> ingest(Lsn start, Lsn end, std::span<const Version> versions) = 0;

  // Has everything that ingest() took.
  virtual VersionSource& source() = 0;
};

}  // namespace varve
