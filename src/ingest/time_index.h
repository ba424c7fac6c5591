// From times to LSNs, by the time index of the key space.
#pragma once

#include <optional>

#include "base/clock.h"
#include "layer/version_sink.h"
#include "layer/version_source.h"

namespace varve {

struct TimedLsn {
  Timestamp time;
  Lsn lsn;

  bool operator==(const TimedLsn&) const = default;
};

// Key and value of an entry.
Key time_index_key(Timestamp time);
Bytes time_index_value(Lsn lsn);

// The last entry at or before `time`, of those that there are at `lsn`; none when there is none.
// What `source` fails with, and Corrupted for an entry that is none.
Result<std::optional<TimedLsn>> find_lsn_at(VersionSource& source, Timestamp time, Lsn lsn);

}  // namespace varve
