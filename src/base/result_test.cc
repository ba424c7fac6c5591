#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>

namespace varve {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return make_error(ErrorCode::kInvalidArgument, "{} is odd", number);
  return number / 2;
}

Result<int> quarter(int number) {
  VARVE_ASSIGN(const int first, half(number));
  VARVE_ASSIGN(const int second, half(first));
  return second;
}

Result<> check_quarter(int number) {
  VARVE_TRY(quarter(number));
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  EXPECT_EQ(half(4).value(), 2);
  const auto failed = half(3);
  EXPECT_FALSE(failed.ok());
  EXPECT_EQ(failed.code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(failed.error().message(), "3 is odd");
  EXPECT_TRUE(failed.failed_with(ErrorCode::kInvalidArgument));
  EXPECT_FALSE(failed.failed_with(ErrorCode::kNotFound));
  EXPECT_FALSE(half(4).failed_with(ErrorCode::kInvalidArgument));
}

TEST(Result, MacrosPassErrorsOnAndAssignValues) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().message(), "3 is odd");
  EXPECT_TRUE(check_quarter(8).ok());
  EXPECT_EQ(check_quarter(5).error().message(), "5 is odd");
}

TEST(Result, ContextGoesBeforeTheMessageAndKeepsTheCode) {
  const auto failed = half(3).context("halving").context("outer");
  EXPECT_EQ(failed.error().message(), "outer: halving: 3 is odd");
  EXPECT_EQ(failed.code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(half(4).context("halving").value(), 2);
}

TEST(Result, ContextKeepsHowLongToWait) {
  Error error(ErrorCode::kThrottled, "slower");
  EXPECT_EQ(error.retry_after(), std::nullopt);
  error.set_retry_after(std::chrono::seconds(3));
  EXPECT_EQ(error.context("listing").retry_after(), std::chrono::seconds(3));
}

TEST(Result, CarriesWhatCanOnlyBeMoved) {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
  const auto pass_on = [&]() -> Result<std::unique_ptr<int>> {
    VARVE_ASSIGN(auto pointer, make());
    return pointer;
  };
  EXPECT_EQ(*pass_on().value(), 7);
}

TEST(ErrorCode, EachHasANameOfItsOwnAndOnlyTransientOnesAreRetried) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    names.insert(name(static_cast<ErrorCode>(code)));
    const bool transient = static_cast<ErrorCode>(code) == ErrorCode::kUnavailable ||
                           static_cast<ErrorCode>(code) == ErrorCode::kThrottled;
    EXPECT_EQ(retryable(static_cast<ErrorCode>(code)), transient);
  }
  EXPECT_EQ(names.size(), 10U);
  EXPECT_FALSE(names.contains("Unknown"));
}

TEST(SystemError, MapsErrnoToWhatTheCallerCanDo) {
  EXPECT_EQ(system_error(ENOENT, "x").code(), ErrorCode::kNotFound);
  EXPECT_EQ(system_error(EEXIST, "x").code(), ErrorCode::kConflict);
  EXPECT_EQ(system_error(EACCES, "x").code(), ErrorCode::kDenied);
  EXPECT_EQ(system_error(EROFS, "x").code(), ErrorCode::kDenied);
  EXPECT_EQ(system_error(ENOSPC, "x").code(), ErrorCode::kExhausted);
  EXPECT_EQ(system_error(EMFILE, "x").code(), ErrorCode::kExhausted);
  EXPECT_EQ(system_error(EIO, "x").code(), ErrorCode::kUnavailable);
  EXPECT_EQ(system_error(EDOM, "x").code(), ErrorCode::kInternal);
  EXPECT_EQ(system_error(ENOENT, "cannot open a").message(),
            "cannot open a: No such file or directory");
}

}  // namespace
}  // namespace varve
