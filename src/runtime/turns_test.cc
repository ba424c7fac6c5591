#include "runtime/turns.h"

#include <gtest/gtest.h>

#include <array>
#include <future>
#include <optional>
#include <thread>
#include <vector>

#include "runtime/joined_call.h"

namespace varve {
namespace {

CallOptions impatient() {
  return {.deadline = Deadline::after(std::chrono::milliseconds(5))};
}

TEST(Turns, OnlyWhoWantsTheSameWaits) {
  Turns<int> turns;
  auto first = std::make_optional(turns.take(1, "first", {}).value());
  EXPECT_TRUE(turns.take(2, "other", impatient()).ok());
  const auto waited = turns.take(1, "second", impatient());
  ASSERT_TRUE(waited.failed_with(ErrorCode::kCancelled));
  EXPECT_NE(waited.error().message().find("second"), std::string::npos);
  first.reset();
  EXPECT_TRUE(turns.take(1, "third", impatient()).ok());
}

TEST(Turns, AWaitEndsWithTheTurnOrOnRequest) {
  Turns<int> turns;
  auto held = std::make_optional(turns.take(1, "held", {}).value());
  std::stop_source stop;
  auto stopped = std::async(std::launch::async, [&] {
    return turns.take(1, "stopped", {.stop = stop.get_token()}).failed_with(ErrorCode::kCancelled);
  });
  stop.request_stop();
  EXPECT_TRUE(stopped.get());
  auto next = std::async(std::launch::async, [&] { return turns.take(1, "next", {}).ok(); });
  held.reset();
  EXPECT_TRUE(next.get());
}

TEST(Turns, OneThreadAtATimeHasOne) {
  Turns<int> turns;
  std::array<int, 2> counts{};
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) {
          const auto turn = turns.take(i % 2, "count", {});
          ++counts.at(static_cast<size_t>(i % 2));
        }
      });
    }
  }
  EXPECT_EQ(counts, (std::array<int, 2>{2000, 2000}));
}

TEST(JoinedCall, EndsWithTheFirstOfBoth) {
  std::stop_source one;
  std::stop_source other;
  const CallOptions patient{.stop = one.get_token()};
  const CallOptions hasty{.deadline = Deadline::after(std::chrono::hours(1)),
                          .stop = other.get_token()};
  const JoinedCall joined(patient, hasty);
  EXPECT_FALSE(joined.options().deadline.is_never());
  EXPECT_TRUE(joined.options().check("call").ok());
  one.request_stop();
  EXPECT_TRUE(joined.options().check("call").failed_with(ErrorCode::kCancelled));
  EXPECT_FALSE(other.stop_requested());
  other.request_stop();
  const JoinedCall late({}, hasty);
  EXPECT_TRUE(late.options().check("call").failed_with(ErrorCode::kCancelled));
}

}  // namespace
}  // namespace varve
