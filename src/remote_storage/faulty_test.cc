#include "remote_storage/faulty.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "remote_storage/memory.h"
#include "remote_storage/streams.h"

namespace varve {
namespace {

using std::chrono::seconds;

class FaultyTest : public ::testing::Test {
 protected:
  void fail(std::vector<FaultRule> rules) { storage_.set_script(fault_rules(std::move(rules))); }
  Result<> put(std::string_view key, const CallOptions& options = {}) {
    return storage_.put(key, as_bytes("0123456789"), PutCondition::kNone, options);
  }

  ManualClock clock_;
  Faulty storage_{std::make_unique<MemoryStorage>(clock_), nullptr, clock_};
};

TEST_F(FaultyTest, AFaultBeforeLeavesNothingAndOneAfterLeavesTheObject) {
  fail({{.operation = Operation::kPut, .fault = Fault::fail_before(), .key = "before"},
        {.operation = Operation::kPut, .fault = Fault::fail_after(), .key = "after"}});
  EXPECT_TRUE(put("before").failed_with(ErrorCode::kUnavailable));
  EXPECT_TRUE(put("after").failed_with(ErrorCode::kUnavailable));
  EXPECT_TRUE(storage_.head("before", {}).failed_with(ErrorCode::kNotFound));
  EXPECT_TRUE(storage_.head("after", {}).ok());
}

TEST_F(FaultyTest, ARuleAppliesToTheCallsItNames) {
  fail({{.operation = Operation::kPut,
         .fault = Fault::fail_before(ErrorCode::kDenied),
         .skip = 1,
         .times = 2,
         .key = "a"}});
  std::vector<bool> succeeded;
  for (const std::string_view key : {"a", "b", "a", "ba", "a"}) {
    succeeded.push_back(put(key).ok());
  }
  EXPECT_THAT(succeeded, ::testing::ElementsAre(true, true, false, false, true));
}

TEST_F(FaultyTest, AStreamBreaksOffAfterSoManyBytes) {
  ASSERT_TRUE(put("key").ok());
  fail({{.operation = Operation::kGet, .fault = Fault::tear_stream(4)}});
  std::string received;
  const auto result = storage_.get("key", {},
                                   [&](ByteView bytes) -> Result<> {
                                     received += as_text(bytes);
                                     return {};
                                   },
                                   {});
  EXPECT_TRUE(result.failed_with(ErrorCode::kUnavailable));
  EXPECT_EQ(received, "0123");
}

TEST_F(FaultyTest, OneByteOfAnAnswerIsInverted) {
  ASSERT_TRUE(put("key").ok());
  fail({{.operation = Operation::kGet, .fault = Fault::flip_byte(2)}});
  EXPECT_EQ(as_text(get_bytes(storage_, "key", {}, 10, {}).value()),
            "01\xCD"
            "3456789");
}

TEST_F(FaultyTest, ADelayPassesByTheClockAndHonoursTheDeadline) {
  const auto slow = [&] {
    fail({{.operation = Operation::kPut, .fault = Fault::delay_by(seconds(5))}});
  };
  slow();
  const BootTime start = clock_.boot_time();
  EXPECT_TRUE(put("key").ok());
  EXPECT_EQ(clock_.boot_time() - start, seconds(5));
  slow();
  EXPECT_TRUE(put("late", {.deadline = Deadline::after(seconds(2), clock_)})
                  .failed_with(ErrorCode::kCancelled));
  EXPECT_EQ(clock_.boot_time() - start, seconds(7));
  EXPECT_TRUE(storage_.head("late", {}).failed_with(ErrorCode::kNotFound));
}

TEST_F(FaultyTest, RandomFaultsDependOnTheSeedAndTheCallAlone) {
  const auto outcomes = [](uint64_t seed, bool backwards) {
    const FaultScript script = random_faults(seed, 0.5, {Fault::fail_before()});
    std::vector<bool> failed(100);
    for (uint64_t i = 0; i < failed.size(); ++i) {
      const uint64_t number = backwards ? failed.size() - 1 - i : i;
      failed[number] = script({Operation::kPut, "key", number}).has_value();
    }
    return failed;
  };
  EXPECT_EQ(outcomes(1, false), outcomes(1, true));
  EXPECT_NE(outcomes(1, false), outcomes(2, false));
  const auto failures = std::ranges::count(outcomes(1, false), true);
  EXPECT_GT(failures, 25);
  EXPECT_LT(failures, 75);
}

TEST_F(FaultyTest, AConditionIsIgnoredOnRequest) {
  ASSERT_TRUE(storage_.put("key", as_bytes("first"), PutCondition::kIfAbsent, {}).ok());
  storage_.set_script(
      fault_rules({{.operation = Operation::kPut, .fault = Fault::ignore_condition()}}));
  EXPECT_TRUE(storage_.put("key", as_bytes("second"), PutCondition::kIfAbsent, {}).ok());
  EXPECT_EQ(as_text(get_bytes(storage_, "key", {}, 10, {}).value()), "second");
  EXPECT_TRUE(storage_.put("key", as_bytes("third"), PutCondition::kIfAbsent, {})
                  .failed_with(ErrorCode::kConflict));
}

}  // namespace
}  // namespace varve
