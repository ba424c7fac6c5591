#include "runtime/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>

namespace varve {
namespace {

TEST(RunParallel, DoesEverythingOnce) {
  ThreadPool pool({.name = "test", .threads = 3});
  for (const size_t count : {size_t{0}, size_t{1}, size_t{100}}) {
    std::vector<std::atomic<int>> done(count);
    EXPECT_TRUE(run_parallel(pool, count, [&](size_t at) -> Result<> {
                  ++done[at];
                  return {};
                }).ok());
    for (const auto& times : done) EXPECT_EQ(times, 1);
  }
}

TEST(RunParallel, RunsAtOnceWhatThereAreThreadsFor) {
  ThreadPool pool({.name = "test", .threads = 3});
  std::barrier all_there(3);
  EXPECT_TRUE(run_parallel(pool, 3, [&](size_t) -> Result<> {
                all_there.arrive_and_wait();
                return {};
              }).ok());
}

TEST(RunParallel, EndsWithTheFirstErrorAndBeginsNothingMore) {
  ThreadPool pool({.name = "test", .threads = 1});
  size_t begun = 0;
  const auto result = run_parallel(pool, 100, [&](size_t at) -> Result<> {
    ++begun;
    if (at == 5) return make_error(ErrorCode::kInternal, "number {}", at);
    return {};
  });
  EXPECT_TRUE(result.failed_with(ErrorCode::kInternal));
  EXPECT_EQ(result.error().message(), "number 5");
  EXPECT_EQ(begun, 6U);
}

}  // namespace
}  // namespace varve
