// The same work on many things, by several threads at once.
#pragma once

#include <functional>

#include "runtime/call_options.h"

namespace varve {

// The options say when to stop: on the caller's request, or because another piece has failed.
using IndexedWork = std::function<Result<>(size_t index, const CallOptions& options)>;

// Runs work(0) to work(count - 1) on at most `threads` threads of its own, begun in this order, and
// waits for them. The first failure is the result: it keeps what has not begun from beginning, and
// asks what runs to stop. Cancelled when the caller's stop or deadline came first. `work` is called
// by several threads at once; with one thread it runs on the caller's.
Result<> run_parallel(size_t count, size_t threads, const CallOptions& options,
                      const IndexedWork& work);

}  // namespace varve
