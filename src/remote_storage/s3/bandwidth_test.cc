#include "remote_storage/s3/bandwidth.h"

#include <gtest/gtest.h>

namespace varve::s3 {
namespace {

double seconds_for(Bandwidth& bandwidth, ManualClock& clock, int pieces, uint64_t size) {
  const BootTime start = clock.boot_time();
  for (int i = 0; i < pieces; ++i) EXPECT_TRUE(bandwidth.take(size, {}).ok());
  return std::chrono::duration<double>(clock.boot_time() - start).count();
}

TEST(S3Bandwidth, B1_TheCapHoldsOnAverage) {
  ManualClock clock;
  Bandwidth bandwidth(1'000'000, clock);
  EXPECT_NEAR(seconds_for(bandwidth, clock, 1000, 10'000), 10, 0.5);
  EXPECT_NEAR(seconds_for(bandwidth, clock, 10, 1'000'000), 10, 1.5) << "larger than the bucket";
}

TEST(S3Bandwidth, WithoutACapNothingWaits) {
  ManualClock clock;
  Bandwidth bandwidth(0, clock);
  EXPECT_EQ(seconds_for(bandwidth, clock, 10, 1ULL << 40), 0);
}

TEST(S3Bandwidth, AnIdleTimeIsNotSavedUp) {
  ManualClock clock;
  Bandwidth bandwidth(1'000'000, clock);
  clock.advance(std::chrono::hours(1));
  EXPECT_NEAR(seconds_for(bandwidth, clock, 1000, 10'000), 10, 0.5);
}

TEST(S3Bandwidth, ADeadlineEndsTheWait) {
  ManualClock clock;
  Bandwidth bandwidth(1000, clock);
  ASSERT_TRUE(bandwidth.take(1'000'000, {}).ok());
  const CallOptions options{.deadline = Deadline::after(std::chrono::seconds(5), clock)};
  EXPECT_TRUE(bandwidth.take(1, options).failed_with(ErrorCode::kCancelled));
  EXPECT_TRUE(options.deadline.passed(clock));
}

}  // namespace
}  // namespace varve::s3
