#include "base/clock.h"

#include <gtest/gtest.h>

#include <thread>

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string round_trip(std::string_view text) {
  const auto time = Timestamp::parse(text);
  return time.ok() ? time->to_string() : "refused";
}

TEST(Timestamp, IsPrintedAsIso8601InUtc) {
  EXPECT_EQ(Timestamp{0}.to_string(), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(Timestamp{1'700'000'000'123'456}.to_string(), "2023-11-14T22:13:20.123456Z");
  EXPECT_EQ(Timestamp{-1}.to_string(), "1969-12-31T23:59:59.999999Z");
}

TEST(Timestamp, AcceptsTheFormsPeopleWrite) {
  EXPECT_EQ(round_trip("2026-11-21T20:15:00.123456Z"), "2026-11-21T20:15:00.123456Z");
  EXPECT_EQ(round_trip("2026-11-21T20:15:00Z"), "2026-11-21T20:15:00.000000Z");
  EXPECT_EQ(round_trip("2026-11-21t20:15:00z"), "2026-11-21T20:15:00.000000Z");
  EXPECT_EQ(round_trip("2026-11-21 20:15"), "2026-11-21T20:15:00.000000Z");
  EXPECT_EQ(round_trip("2026-11-21 20:15:00.5"), "2026-11-21T20:15:00.500000Z");
  EXPECT_EQ(round_trip("2026-11-21 20:15:00.1234567899"), "2026-11-21T20:15:00.123456Z");
  EXPECT_EQ(round_trip("2026-11-21T22:15:00+02:00"), "2026-11-21T20:15:00.000000Z");
  EXPECT_EQ(round_trip("2026-11-21 22:15:00+02"), "2026-11-21T20:15:00.000000Z");
  EXPECT_EQ(round_trip("2026-11-21T14:45:00-0530"), "2026-11-21T20:15:00.000000Z");
  EXPECT_EQ(round_trip("2024-02-29 00:00"), "2024-02-29T00:00:00.000000Z");
  EXPECT_EQ(round_trip("2016-12-31T23:59:60Z"), "2017-01-01T00:00:00.000000Z");
}

TEST(Timestamp, WhatIsNoTimeIsRefused) {
  for (const char* text : {"",
                           "now",
                           "2026",
                           "2026-11-21",
                           "2026-11-21T",
                           "2026-11-21T20",
                           "2026-11-21T20:",
                           "2026-11-21T20:15:",
                           "2026-11-21T20:15:0",
                           "2026-11-21T20:15:00.",
                           "2026-11-21T20:15:00.Z",
                           "2026-11-21T20:15:00X",
                           "2026-11-21T20:15:00ZZ",
                           "2026-11-21T20:15:00Z ",
                           " 2026-11-21T20:15:00Z",
                           "2026-11-21T20:15:00+",
                           "2026-11-21T20:15:00+2",
                           "2026-11-21T20:15:00+02:",
                           "2026-11-21T20:15:00+02:60",
                           "2026-11-21T20:15:00+16:00",
                           "2026-11-21T20:15:00+02:00Z",
                           "2026-13-21T20:15:00Z",
                           "2026-00-21T20:15:00Z",
                           "2026-02-29T20:15:00Z",
                           "2026-11-31T20:15:00Z",
                           "2026-11-21T24:00:00Z",
                           "2026-11-21T20:60:00Z",
                           "2026-11-21T20:15:61Z",
                           "26-11-21T20:15:00Z",
                           "2026/11/21T20:15:00Z",
                           "-026-11-21T20:15:00Z",
                           "2026-11-21T20:15:00.1+1:00"}) {
    EXPECT_TRUE(Timestamp::parse(text).failed_with(ErrorCode::kInvalidArgument)) << text;
  }
}

TEST(Timestamp, AnErrorShowsWhatIsExpected) {
  EXPECT_EQ(Timestamp::parse("yesterday").error().message(),
            "'yesterday' is not a time: expected ISO 8601 such as 2026-11-21T20:15:00Z");
}

TEST(ManualClock, StandsStillUntilItIsMoved) {
  ManualClock clock(Timestamp{1'000'000});
  EXPECT_EQ(clock.now(), Timestamp{1'000'000});
  EXPECT_EQ(clock.boot_time(), BootTime(0));
  clock.advance(milliseconds(1500));
  EXPECT_EQ(clock.now(), Timestamp{2'500'000});
  EXPECT_EQ(clock.boot_time(), milliseconds(1500));
}

TEST(ManualClock, ASleepMovesItUnlessAStopWasRequested) {
  ManualClock clock;
  std::stop_source source;
  EXPECT_TRUE(clock.sleep(seconds(3), source.get_token()));
  EXPECT_EQ(clock.boot_time(), seconds(3));
  source.request_stop();
  EXPECT_FALSE(clock.sleep(seconds(3), source.get_token()));
  EXPECT_EQ(clock.boot_time(), seconds(3));
}

TEST(ManualClock, ASleepThatWaitsEndsWhenTheClockHasBeenMovedFarEnough) {
  ManualClock clock({0}, ManualClock::Sleep::kWaits);
  bool slept = false;
  std::jthread sleeper([&] { slept = clock.sleep(seconds(3), {}); });
  clock.wait_for_sleeper(seconds(3));
  clock.advance(seconds(2));
  clock.wait_for_sleeper(seconds(3));
  clock.advance(seconds(1));
  sleeper.join();
  EXPECT_TRUE(slept);
}

TEST(ManualClock, ASleepWithoutEndWaitsForTheStopInEitherMode) {
  for (const auto mode : {ManualClock::Sleep::kMoves, ManualClock::Sleep::kWaits}) {
    ManualClock clock({0}, mode);
    std::stop_source source;
    bool slept = true;
    std::jthread sleeper([&] { slept = clock.sleep(Duration::max(), source.get_token()); });
    clock.wait_for_sleeper(BootTime::max());
    source.request_stop();
    sleeper.join();
    EXPECT_FALSE(slept);
    EXPECT_EQ(clock.boot_time(), BootTime(0));
  }
}

TEST(SystemClock, ASleepWithoutEndWaitsForTheStop) {
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  EXPECT_FALSE(system_clock().sleep(Duration::max(), source.get_token()));
}

TEST(SystemClock, ARequestedStopEndsASleepAtOnce) {
  std::stop_source source;
  source.request_stop();
  EXPECT_FALSE(system_clock().sleep(std::chrono::hours(1), source.get_token()));
  EXPECT_TRUE(system_clock().sleep(Duration(1), {}));
  const BootTime before = system_clock().boot_time();
  EXPECT_GE(system_clock().boot_time(), before);
}

}  // namespace
}  // namespace varve
