// The same work on many things at once.
#pragma once

#include <functional>

#include "base/result.h"
#include "runtime/thread_pool.h"

namespace varve {

// Calls `work` for 0 to count-1 on the threads of the pool, in any order, and waits for the end.
// After an error nothing more is begun; of several errors that of the lowest number comes back.
Result<> run_parallel(ThreadPool& pool, size_t count, const std::function<Result<>(size_t)>& work);

}  // namespace varve
