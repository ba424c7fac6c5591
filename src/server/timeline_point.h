// A place in the history of a timeline.
#pragma once

#include <variant>

#include "base/clock.h"
#include "base/lsn.h"

namespace varve {

// The last LSN, that one, or the last one at or before that time.
using TimelinePoint = std::variant<std::monostate, Lsn, Timestamp>;

}  // namespace varve
