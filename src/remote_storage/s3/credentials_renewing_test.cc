#include "remote_storage/s3/credentials_renewing.h"

#include <gmock/gmock.h>

#include <latch>
#include <thread>

namespace varve::s3 {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

// Credentials number `number`, which tell by their ID that they are.
Credentials numbered(int number, std::optional<Timestamp> expires_at = {}) {
  return {.access_key_id = fmt::format("ID{}", number),
          .secret_access_key = "secret",
          .expires_at = expires_at};
}

// Answers with what a function returns, and counts how often.
class ScriptedSource : public CredentialsSource {
 public:
  using Script = std::function<Result<Credentials>(int call)>;
  ScriptedSource(Script script, std::atomic<int>& calls)
      : script_(std::move(script)), calls_(calls) {}

  Result<FetchedCredentials> fetch(const CallOptions& /*options*/) override {
    VARVE_ASSIGN(Credentials credentials, script_(++calls_));
    return FetchedCredentials{.credentials = std::move(credentials), .source = "the script"};
  }

 private:
  const Script script_;
  std::atomic<int>& calls_;
};

class RenewingCredentialsTest : public testing::Test {
 protected:
  void script(ScriptedSource::Script script) {
    provider_.emplace(std::make_unique<ScriptedSource>(std::move(script), calls_), clock_);
  }
  Timestamp in(Duration duration) {
    return {clock_.now().micros +
            std::chrono::duration_cast<std::chrono::microseconds>(duration).count()};
  }
  // The ID of the credentials that get() gives, or the error.
  std::string get(const CallOptions& options = {}) {
    const auto got = provider_->get(options);
    return got.ok() ? (*got)->access_key_id : got.error().message();
  }

  ManualClock clock_;
  std::atomic<int> calls_ = 0;
  std::optional<RenewingCredentials> provider_;
};

TEST_F(RenewingCredentialsTest, AsksOnceForWhatDoesNotExpire) {
  script([](int call) { return numbered(call); });
  EXPECT_EQ(calls_, 0);
  EXPECT_EQ(get(), "ID1");
  clock_.advance(minutes(100'000));
  EXPECT_EQ(get(), "ID1");
  EXPECT_EQ(provider_->source(), "the script");
}

TEST_F(RenewingCredentialsTest, RenewsBeforeTheExpiry) {
  script([&](int call) { return numbered(call, in(minutes(60))); });
  EXPECT_EQ(get(), "ID1");
  clock_.advance(minutes(55) - seconds(1));
  EXPECT_EQ(get(), "ID1");
  clock_.advance(seconds(1));
  EXPECT_EQ(get(), "ID2");
  EXPECT_EQ(get(), "ID2");
}

TEST_F(RenewingCredentialsTest, WhileARenewalFailsTheOldOnesAreUsedUntilTheyExpire) {
  bool fails = false;
  script([&](int call) -> Result<Credentials> {
    if (fails) return make_error(ErrorCode::kUnavailable, "out of order");
    return numbered(call, in(minutes(60)));
  });
  EXPECT_EQ(get(), "ID1");
  fails = true;
  clock_.advance(minutes(55));
  EXPECT_EQ(get(), "ID1");
  EXPECT_EQ(get(), "ID1");
  EXPECT_EQ(calls_, 2) << "a failure is followed by a pause";
  clock_.advance(minutes(1));
  EXPECT_EQ(get(), "ID1");
  EXPECT_EQ(calls_, 3);
  clock_.advance(minutes(3) + seconds(30));
  EXPECT_EQ(get(), "ID1");
  clock_.advance(seconds(30));
  EXPECT_EQ(get(), "out of order") << "they have expired, pause or not";
  fails = false;
  EXPECT_EQ(get(), "ID6");
}

TEST_F(RenewingCredentialsTest, OnesThatAreAboutToExpireAreAskedForAgainOnlyAfterAPause) {
  script([&](int call) { return numbered(call, in(call == 1 ? minutes(3) : -minutes(3))); });
  EXPECT_EQ(get(), "ID1");
  EXPECT_EQ(get(), "ID1");
  clock_.advance(minutes(1));
  EXPECT_EQ(get(), "ID2") << "expired by this clock, but the only ones there are";
  EXPECT_EQ(get(), "ID2");
  clock_.advance(minutes(1));
  EXPECT_EQ(get(), "ID3");
}

TEST_F(RenewingCredentialsTest, ARejectionForcesOneRenewal) {
  script([](int call) { return numbered(call); });
  EXPECT_EQ(get(), "ID1");
  provider_->reject(numbered(1));
  provider_->reject(numbered(1));
  EXPECT_EQ(get(), "ID2");
  provider_->reject(numbered(1));
  EXPECT_EQ(get(), "ID2") << "those were replaced already";
}

TEST_F(RenewingCredentialsTest, ASourceWithNothingElseIsNotAskedForEveryRejection) {
  script([](int) { return numbered(1); });
  EXPECT_EQ(get(), "ID1");
  for (int i = 0; i < 10; ++i) {
    provider_->reject(numbered(1));
    EXPECT_EQ(get(), "ID1");
  }
  EXPECT_EQ(calls_, 2);
  clock_.advance(minutes(1));
  provider_->reject(numbered(1));
  get();
  EXPECT_EQ(calls_, 3);
}

TEST_F(RenewingCredentialsTest, RejectedOnesAreNotUsedWhenTheRenewalFails) {
  script([](int call) -> Result<Credentials> {
    if (call == 2) return make_error(ErrorCode::kUnavailable, "out of order");
    return numbered(call);
  });
  EXPECT_EQ(get(), "ID1");
  provider_->reject(numbered(1));
  EXPECT_EQ(get(), "out of order");
  EXPECT_EQ(get(), "ID3");
}

TEST_F(RenewingCredentialsTest, SeveralCallersAskOnce) {
  constexpr int kCallers = 8;
  std::latch all_there(kCallers);
  script([&](int call) {
    all_there.wait();
    return numbered(call);
  });
  std::vector<std::jthread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&] {
      all_there.count_down();
      EXPECT_EQ(get(), "ID1");
    });
  }
  callers.clear();
  EXPECT_EQ(calls_, 1);
}

// A call of the source that hangs until it is let go, in a thread of its own.
class RenewingCredentialsInFlight : public RenewingCredentialsTest {
 protected:
  // Call number `hanging` of the source waits until it is let go; then each has its result.
  void hang_in_call(int hanging, ScriptedSource::Script results) {
    script([this, hanging, results = std::move(results)](int call) {
      if (call == hanging) {
        entered_.count_down();
        let_go_.wait();
      }
      return results(call);
    });
  }

  std::latch entered_{1};
  std::latch let_go_{1};
};

TEST_F(RenewingCredentialsInFlight, OthersGoOnWithWhatIsStillValid) {
  hang_in_call(2, [&](int call) { return numbered(call, in(minutes(60))); });
  EXPECT_EQ(get(), "ID1");
  clock_.advance(minutes(56));
  std::jthread renewing([&] { EXPECT_EQ(get(), "ID2"); });
  entered_.wait();
  EXPECT_EQ(get(), "ID1");
  EXPECT_EQ(provider_->source(), "the script");
  let_go_.count_down();
  renewing.join();
  EXPECT_EQ(get(), "ID2");
}

TEST_F(RenewingCredentialsInFlight, AWaiterThatIsStoppedOrLateIsCancelled) {
  hang_in_call(1, [](int call) { return numbered(call); });
  std::jthread first([&] { EXPECT_EQ(get(), "ID1"); });
  entered_.wait();
  std::stop_source stop;
  std::jthread stopped([&] { EXPECT_THAT(get({.stop = stop.get_token()}), HasSubstr("stopped")); });
  stop.request_stop();
  stopped.join();
  EXPECT_THAT(get({.deadline = Deadline::after(Duration::zero(), clock_)}),
              HasSubstr("the deadline passed"));
  let_go_.count_down();
}

// Counts who asks for the time, which a caller of get() does on its way to wait for another one.
class CountingClock : public ManualClock {
 public:
  BootTime boot_time() const override {
    ++asked_;
    return ManualClock::boot_time();
  }
  mutable std::atomic<int> asked_ = 0;
};

TEST_F(RenewingCredentialsInFlight, ThoseWhoWaitGetTheSameError) {
  constexpr int kWaiters = 4;
  CountingClock clock;
  provider_.emplace(std::make_unique<ScriptedSource>(
                        [&](int call) -> Result<Credentials> {
                          if (call > 1) return numbered(call);
                          entered_.count_down();
                          let_go_.wait();
                          return make_error(ErrorCode::kDenied, "no such role");
                        },
                        calls_),
                    clock);
  const CallOptions within_an_hour{.deadline = Deadline::after(std::chrono::hours(1), clock)};
  std::jthread first([&] { EXPECT_EQ(get(), "no such role"); });
  entered_.wait();
  const int asked_before = clock.asked_;
  std::vector<std::jthread> waiters;
  for (int i = 0; i < kWaiters; ++i) {
    waiters.emplace_back([&] { EXPECT_EQ(get(within_an_hour), "no such role"); });
  }
  while (clock.asked_ < asked_before + kWaiters) std::this_thread::yield();
  let_go_.count_down();
  waiters.clear();
  first.join();
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(get(), "ID2");
}

TEST_F(RenewingCredentialsInFlight, AStopOfTheOneWhoAsksIsNotThatOfTheOthers) {
  hang_in_call(1, [](int call) -> Result<Credentials> {
    if (call == 1) return make_error(ErrorCode::kCancelled, "stopped on request");
    return numbered(call);
  });
  std::jthread first([&] { EXPECT_EQ(get(), "stopped on request"); });
  entered_.wait();
  std::jthread second([&] { EXPECT_EQ(get(), "ID2"); });
  let_go_.count_down();
}

}  // namespace
}  // namespace varve::s3
