// Whether a redo process does what PostgreSQL does.
#pragma once

#include "redo/redo_process.h"

namespace varve {

// Has known records applied and compares with the known pages. InvalidArgument, naming the remedy,
// when they are others: the extension and the server do not belong together, or the build of
// PostgreSQL lays out pages in another way. Otherwise as RedoProcess::exchange.
Result<> check_redo_process(RedoProcess& process, Duration patience, const CallOptions& call);

}  // namespace varve
