#include "runtime/parallel.h"

#include <gtest/gtest.h>

#include <barrier>
#include <condition_variable>
#include <set>

namespace varve {
namespace {

TEST(RunParallel, EveryPieceIsDoneOnce) {
  for (const size_t threads : {0, 1, 3, 100}) {
    std::vector<std::atomic<int>> done(50);
    ASSERT_TRUE(run_parallel(done.size(), threads, {}, [&](size_t index, const CallOptions&) {
                  ++done[index];
                  return Result<>();
                }).ok());
    for (const auto& times : done) EXPECT_EQ(times, 1);
  }
}

TEST(RunParallel, NothingToDoIsDone) {
  EXPECT_TRUE(run_parallel(0, 4, {}, [](size_t, const CallOptions&) -> Result<> {
                return make_error(ErrorCode::kInternal, "called");
              }).ok());
}

TEST(RunParallel, AsManyAsAllowedRunAtOnce) {
  constexpr size_t kThreads = 4;
  // Passed only when so many are in it together.
  std::barrier all_together(kThreads);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  ASSERT_TRUE(run_parallel(3 * kThreads, kThreads, {}, [&](size_t, const CallOptions&) {
                all_together.arrive_and_wait();
                const std::lock_guard lock(mutex);
                seen.insert(std::this_thread::get_id());
                return Result<>();
              }).ok());
  EXPECT_EQ(seen.size(), kThreads);
}

TEST(RunParallel, TheFirstFailureIsTheResultAndStopsTheRest) {
  std::atomic<size_t> begun = 0;
  const auto result = run_parallel(1000, 2, {}, [&](size_t index, const CallOptions& options) {
    ++begun;
    if (index == 0) return Result<>(make_error(ErrorCode::kDenied, "piece 0"));
    // Waits until the failure of the other asks it to stop.
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any changed;
    changed.wait(lock, options.stop, [] { return false; });
    return options.check("piece");
  });
  ASSERT_TRUE(result.failed_with(ErrorCode::kDenied));
  EXPECT_EQ(result.error().message(), "piece 0");
  EXPECT_LE(begun, 2U);
}

TEST(RunParallel, TheCallersStopIsPassedOn) {
  std::stop_source stop;
  std::atomic<size_t> begun = 0;
  const CallOptions options{.stop = stop.get_token()};
  const auto result = run_parallel(1000, 2, options, [&](size_t, const CallOptions& inner) {
    ++begun;
    stop.request_stop();
    return inner.check("piece");
  });
  EXPECT_TRUE(result.failed_with(ErrorCode::kCancelled));
  EXPECT_LE(begun, 2U);
}

}  // namespace
}  // namespace varve
