#include "runtime/parallel.h"

#include <atomic>

namespace varve {

Result<> run_parallel(ThreadPool& pool, size_t count, const std::function<Result<>(size_t)>& work) {
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  size_t first_failed = count;
  Result<> result;
  const auto run = [&] {
    for (size_t at = next++; at < count && !failed; at = next++) {
      auto done = work(at);
      if (done.ok()) continue;
      failed = true;
      const std::lock_guard lock(mutex);
      if (at < first_failed) {
        first_failed = at;
        result = std::move(done);
      }
    }
  };
  std::vector<std::future<void>> workers;
  for (size_t i = 0; i < std::min(count, pool.size()); ++i) workers.push_back(pool.submit(run));
  for (auto& worker : workers) worker.get();
  return result;
}

}  // namespace varve
