#include "remote_storage/s3/concurrency_limit.h"

#include <gtest/gtest.h>

#include <thread>

namespace varve::s3 {
namespace {

std::vector<ConcurrencyLimit::Permit> acquire(ConcurrencyLimit& limit, size_t count) {
  std::vector<ConcurrencyLimit::Permit> permits;
  for (size_t i = 0; i < count; ++i) permits.push_back(limit.acquire({}).value());
  return permits;
}

TEST(S3ConcurrencyLimit, NoMoreThanTheMaximumRunAtOnce) {
  ConcurrencyLimit limit(2);
  auto permits = acquire(limit, 2);
  EXPECT_TRUE(limit.acquire({.deadline = Deadline::after(std::chrono::milliseconds(1))})
                  .failed_with(ErrorCode::kCancelled));
  permits.pop_back();
  EXPECT_TRUE(limit.acquire({}).ok());
}

TEST(S3ConcurrencyLimit, AWaiterGoesOnWhenAnotherEnds) {
  ConcurrencyLimit limit(1);
  auto permits = acquire(limit, 1);
  std::jthread waiter([&] { EXPECT_TRUE(limit.acquire({}).ok()); });
  permits.clear();
}

TEST(S3ConcurrencyLimit, AStopEndsTheWait) {
  ConcurrencyLimit limit(1);
  const auto permits = acquire(limit, 1);
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  EXPECT_TRUE(limit.acquire({.stop = source.get_token()}).failed_with(ErrorCode::kCancelled));
}

TEST(S3ConcurrencyLimit, B1_ThrottlingHalvesItOncePerBurst) {
  ConcurrencyLimit limit(16);
  for (auto& permit : acquire(limit, 16)) permit.throttled();
  EXPECT_EQ(limit.limit(), 8U);
  acquire(limit, 1).front().throttled();
  EXPECT_EQ(limit.limit(), 4U);
  for (int i = 0; i < 10; ++i) acquire(limit, 1).front().throttled();
  EXPECT_EQ(limit.limit(), 1U);
}

TEST(S3ConcurrencyLimit, B1_SuccessRaisesItAgainUpToTheMaximum) {
  ConcurrencyLimit limit(8);
  acquire(limit, 1).front().throttled();
  for (int i = 0; i < 5; ++i) acquire(limit, 1).front().succeeded();
  EXPECT_EQ(limit.limit(), 5U);
  for (int i = 0; i < 100; ++i) acquire(limit, 1).front().succeeded();
  EXPECT_EQ(limit.limit(), 8U);
}

}  // namespace
}  // namespace varve::s3
