#include <gtest/gtest.h>

#include <atomic>

#include "runtime/backoff.h"
#include "runtime/bounded_queue.h"
#include "runtime/call_options.h"
#include "runtime/thread_pool.h"

namespace varve {
namespace {

using std::chrono::seconds;

TEST(Backoff, DoublesUpToTheMaximum) {
  SeededRandom random(1);
  const BackoffOptions options{.jitter = 0};
  EXPECT_EQ(backoff_delay(options, 1, random), seconds(1));
  EXPECT_EQ(backoff_delay(options, 2, random), seconds(2));
  EXPECT_EQ(backoff_delay(options, 5, random), seconds(16));
  EXPECT_EQ(backoff_delay(options, 6, random), seconds(30));
  EXPECT_EQ(backoff_delay(options, 1'000'000, random), seconds(30));
}

TEST(Backoff, JitterShortensADelayByAtMostItsShare) {
  SeededRandom random(1);
  Duration shortest = Duration::max();
  Duration longest = Duration::zero();
  for (int i = 0; i < 1000; ++i) {
    const Duration delay = backoff_delay({.jitter = 0.5}, 3, random);
    shortest = std::min(shortest, delay);
    longest = std::max(longest, delay);
  }
  EXPECT_GE(shortest, seconds(2));
  EXPECT_LT(shortest, std::chrono::milliseconds(2100));
  EXPECT_LE(longest, seconds(4));
  EXPECT_GT(longest, std::chrono::milliseconds(3900));
}

TEST(BoundedQueue, GivesItemsInOrderAndDrainsAfterClose) {
  BoundedQueue<int> queue(4);
  EXPECT_TRUE(queue.push(1));
  EXPECT_TRUE(queue.push(2));
  queue.close();
  EXPECT_FALSE(queue.push(3));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), 2);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(BoundedQueue, AProducerWaitsWhileItIsFull) {
  BoundedQueue<int> queue(1);
  std::atomic<int> pushed = 0;
  std::jthread producer([&] {
    for (int i = 0; i < 3; ++i) {
      queue.push(i);
      ++pushed;
    }
  });
  EXPECT_EQ(queue.pop(), 0);
  // One item fits and one push may have returned since: never all three before they are taken.
  EXPECT_LT(pushed.load(), 3);
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), 2);
}

TEST(BoundedQueue, AStopRequestEndsAWait) {
  BoundedQueue<int> queue(1);
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  EXPECT_EQ(queue.pop(source.get_token()), std::nullopt);
}

TEST(ThreadPool, RunsEverythingThatWasSubmittedBeforeItEnds) {
  std::atomic<int> ran = 0;
  {
    ThreadPool pool({.name = "test", .threads = 3, .queue_capacity = 2});
    for (int i = 0; i < 100; ++i) pool.submit([&] { ++ran; });
  }
  EXPECT_EQ(ran.load(), 100);
}

TEST(ThreadPool, HandsBackTheResultOfATask) {
  ThreadPool pool({.name = "test", .threads = 1});
  EXPECT_EQ(pool.submit([] { return 42; }).get(), 42);
}

TEST(CallOptions, ReportsAStopAndAPassedDeadlineAsCancelled) {
  ManualClock clock;
  std::stop_source source;
  CallOptions options{.deadline = Deadline::after(seconds(5), clock), .stop = source.get_token()};
  EXPECT_TRUE(options.check("a call", clock).ok());
  clock.advance(seconds(5));
  EXPECT_TRUE(options.check("a call", clock).failed_with(ErrorCode::kCancelled));

  options.deadline = Deadline::never();
  EXPECT_TRUE(options.check("a call", clock).ok());
  source.request_stop();
  const auto stopped = options.check("a call", clock);
  ASSERT_TRUE(stopped.failed_with(ErrorCode::kCancelled));
  EXPECT_EQ(stopped.error().message(), "a call: stopped on request");
}

}  // namespace
}  // namespace varve
