// Logging, on stderr: one line an event.
#pragma once

#include <spdlog/spdlog.h>

#include <string_view>

#include "base/result.h"

namespace varve {

// Call before any other thread logs; the last call counts. `level` is trace, debug, info, warning,
// error or off; anything else is InvalidArgument.
Result<> set_up_logging(std::string_view level);

// Changes the level, from any thread. InvalidArgument as above.
Result<> set_log_level(std::string_view level);

// An error is logged once, where it is handled.
inline void log_error(std::string_view what, const Error& error) {
  spdlog::error("{}: {} ({})", what, error.message(), name(error.code()));
}

}  // namespace varve
