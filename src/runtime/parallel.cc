#include "runtime/parallel.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace varve {

Result<> run_parallel(size_t count, size_t threads, const CallOptions& options,
                      const IndexedWork& work) {
  std::stop_source stop;
  const std::stop_callback pass_on(options.stop, [&] { stop.request_stop(); });
  const CallOptions inner{.deadline = options.deadline, .stop = stop.get_token()};

  std::atomic<size_t> next = 0;
  std::mutex mutex;
  Result<> result;
  const auto fail = [&](Result<> failed) {
    const std::lock_guard lock(mutex);
    if (result.ok()) result = std::move(failed);
    stop.request_stop();
  };
  const auto run = [&] {
    for (size_t index = next++; index < count; index = next++) {
      auto done = inner.check("the remaining work");
      if (done.ok()) done = work(index, inner);
      if (!done.ok()) return fail(std::move(done));
    }
  };

  const size_t wanted = std::min(threads, count);
  if (wanted <= 1) {
    run();
    return result;
  }
  {
    std::vector<std::jthread> workers;
    workers.reserve(wanted);
    for (size_t i = 0; i < wanted; ++i) workers.emplace_back(run);
  }
  return result;
}

}  // namespace varve
