#include "remote_storage/retrying.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "remote_storage/faulty.h"
#include "remote_storage/memory.h"
#include "remote_storage/metered.h"
#include "remote_storage/streams.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Retrying(Faulty(Metered(Memory))): the meter sees what reaches the storage.
class RetryingTest : public ::testing::Test {
 protected:
  RetryingTest() {
    auto memory = std::make_unique<MemoryStorage>(clock_);
    memory_ = memory.get();
    auto metered = std::make_unique<Metered>(std::move(memory), Metered::Options{});
    metered_ = metered.get();
    auto faulty = std::make_unique<Faulty>(std::move(metered), nullptr, clock_);
    faulty_ = faulty.get();
    retrying_ = std::make_unique<Retrying>(
        std::move(faulty),
        Retrying::Options{.attempts = 3,
                          .backoff = {.initial = seconds(1), .maximum = seconds(10), .jitter = 0},
                          .clock = &clock_,
                          .metrics = &metrics_});
  }

  void fail(std::vector<FaultRule> rules) { faulty_->set_script(fault_rules(std::move(rules))); }
  void store(std::string_view key, std::string_view body) {
    ASSERT_TRUE(memory_->put(key, as_bytes(body), PutCondition::kNone, {}).ok());
  }
  uint64_t requests(Operation operation) { return metered_->counts().total(operation); }
  Result<std::string> read(const ByteRange& range = ByteRange::whole()) {
    VARVE_ASSIGN(const Bytes bytes, get_bytes(*retrying_, "key", range, 1 << 20, {}));
    return std::string(as_text(bytes));
  }

  ManualClock clock_;
  Metrics metrics_;
  MemoryStorage* memory_ = nullptr;
  Metered* metered_ = nullptr;
  Faulty* faulty_ = nullptr;
  std::unique_ptr<Retrying> retrying_;
};

TEST_F(RetryingTest, RepeatsWhatMaySucceedLaterAndWaitsLongerEachTime) {
  fail({{.operation = Operation::kPut, .fault = Fault::fail_before(), .times = 2}});
  const BootTime start = clock_.boot_time();
  EXPECT_TRUE(retrying_->put("key", as_bytes("x"), PutCondition::kIfAbsent, {}).ok());
  EXPECT_EQ(clock_.boot_time() - start, seconds(1 + 2));
  EXPECT_EQ(requests(Operation::kPut), 1U);
  EXPECT_THAT(metrics_.text(),
              HasSubstr("varve_remote_storage_retries_total{operation=\"put\"} 2"));
}

TEST_F(RetryingTest, RepeatsTheListingAndTheAbortOfUnfinishedUploads) {
  const auto upload = memory_->start_multipart("pack", 4, {}).value();
  fail({{.operation = Operation::kMultipartList, .fault = Fault::fail_before()},
        {.operation = Operation::kMultipartAbort, .fault = Fault::fail_after()}});
  const auto uploads = list_uploads_older_than(*retrying_, "", {}, {}).value();
  ASSERT_EQ(uploads.size(), 1U);
  EXPECT_TRUE(retrying_->abort_upload("pack", uploads[0].upload_id, {}).ok());
  EXPECT_THAT(memory_->list_uploads("", "", {})->uploads, IsEmpty());
}

TEST_F(RetryingTest, GivesUpAfterItsAttemptsWithTheLastError) {
  fail({{.operation = Operation::kHead,
         .fault = Fault::fail_before(ErrorCode::kThrottled),
         .times = 100}});
  const auto result = retrying_->head("key", {});
  ASSERT_TRUE(result.failed_with(ErrorCode::kThrottled));
  EXPECT_THAT(result.error().message(), HasSubstr("failed 3 times"));
}

TEST_F(RetryingTest, DoesNotRepeatWhatWouldFailAgain) {
  for (const ErrorCode code :
       {ErrorCode::kDenied, ErrorCode::kNotFound, ErrorCode::kConflict, ErrorCode::kInvalidArgument,
        ErrorCode::kCorrupted, ErrorCode::kExhausted, ErrorCode::kInternal}) {
    fail({{.operation = Operation::kList, .fault = Fault::fail_before(code)}});
    EXPECT_TRUE(retrying_->list("", "", {}).failed_with(code));
  }
  EXPECT_EQ(requests(Operation::kList), 0U);
}

TEST_F(RetryingTest, W2_DoesNotWaitBeyondTheDeadline) {
  fail({{.operation = Operation::kHead, .fault = Fault::fail_before(), .times = 100}});
  const BootTime start = clock_.boot_time();
  const auto result = retrying_->head("key", {.deadline = Deadline::after(seconds(2), clock_)});
  ASSERT_TRUE(result.failed_with(ErrorCode::kUnavailable));
  EXPECT_THAT(result.error().message(), HasSubstr("no time to try again"));
  EXPECT_EQ(clock_.boot_time() - start, seconds(1));
}

TEST_F(RetryingTest, W2_AStopRequestEndsTheWait) {
  std::stop_source source;
  faulty_->set_script([&](const FaultyCall&) {
    source.request_stop();
    return Fault::fail_before();
  });
  const auto result = retrying_->head("key", {.stop = source.get_token()});
  ASSERT_TRUE(result.failed_with(ErrorCode::kCancelled));
  EXPECT_THAT(result.error().message(), HasSubstr("injected fault"));
}

TEST_F(RetryingTest, ALostAcknowledgementOfCreateIfAbsentReachesTheCallerAsConflict) {
  fail({{.operation = Operation::kPut, .fault = Fault::fail_after()}});
  EXPECT_TRUE(retrying_->put("key", as_bytes("x"), PutCondition::kIfAbsent, {})
                  .failed_with(ErrorCode::kConflict));
  EXPECT_EQ(read().value(), "x");
}

TEST_F(RetryingTest, ADownloadGoesOnWhereItBrokeOff) {
  store("key", "0123456789");
  const auto torn_twice = [&] {
    fail({{.operation = Operation::kGet, .fault = Fault::tear_stream(3), .times = 2}});
  };
  torn_twice();
  EXPECT_EQ(read().value(), "0123456789");
  torn_twice();
  EXPECT_EQ(read(ByteRange::between(1, 9)).value(), "12345678");
  torn_twice();
  EXPECT_EQ(read(ByteRange::from(2)).value(), "23456789");
  torn_twice();
  EXPECT_EQ(read(ByteRange::suffix(7)).value(), "3456789");
}

TEST_F(RetryingTest, ADownloadWhoseLastByteCameIsNotAskedForAgain) {
  store("key", "0123456789");
  fail({{.operation = Operation::kGet, .fault = Fault::fail_after()}});
  EXPECT_EQ(read().value(), "0123456789");
  EXPECT_EQ(requests(Operation::kGet), 1U);
}

TEST_F(RetryingTest, TheSinkIsToldOnceWhatIsRead) {
  store("key", "0123456789");
  fail({{.operation = Operation::kGet, .fault = Fault::tear_stream(0)},
        {.operation = Operation::kGet, .fault = Fault::tear_stream(4), .skip = 1}});
  std::vector<std::string> events;
  const ByteSink sink(
      [&](const ObjectInfo& info) -> Result<> {
        events.push_back(fmt::format("{} bytes", info.size));
        return {};
      },
      [&](ByteView bytes) -> Result<> {
        events.emplace_back(as_text(bytes));
        return {};
      });
  ASSERT_TRUE(retrying_->get("key", ByteRange::whole(), sink, {}).ok());
  EXPECT_THAT(events, ElementsAre("10 bytes", "0123", "456789"));
}

TEST_F(RetryingTest, ADownloadOfAnObjectThatWasReplacedMeanwhileFails) {
  for (const std::string_view other : {"shorter", "9876543210"}) {
    store("key", "0123456789");
    uint64_t gets = 0;
    faulty_->set_script([&](const FaultyCall&) -> std::optional<Fault> {
      if (gets++ == 0) return Fault::tear_stream(3);
      clock_.advance(milliseconds(1));
      store("key", other);
      return std::nullopt;
    });
    const auto result = read();
    ASSERT_TRUE(result.failed_with(ErrorCode::kUnavailable)) << other;
    EXPECT_THAT(result.error().message(), HasSubstr("was replaced"));
    EXPECT_EQ(gets, 2U);
  }
}

TEST_F(RetryingTest, RepeatsThePartsOfAnUploadSingly) {
  fail({{.operation = Operation::kMultipartCreate, .fault = Fault::fail_before()},
        {.operation = Operation::kMultipartPart, .fault = Fault::fail_after(), .skip = 1},
        {.operation = Operation::kMultipartComplete, .fault = Fault::fail_before()}});
  const auto upload = retrying_->start_multipart("key", 2, {}).value();
  ASSERT_TRUE(upload->upload_part(0, as_bytes("ab"), {}).ok());
  ASSERT_TRUE(upload->upload_part(1, as_bytes("c"), {}).ok());
  ASSERT_TRUE(upload->complete(2, {}).ok());
  EXPECT_EQ(read().value(), "abc");
  EXPECT_EQ(requests(Operation::kMultipartPart), 3U);
}

TEST_F(RetryingTest, ACompletionThatMayHaveLandedIsReportedAsUnknown) {
  fail({{.operation = Operation::kMultipartComplete, .fault = Fault::fail_after()}});
  const auto upload = retrying_->start_multipart("key", 2, {}).value();
  ASSERT_TRUE(upload->upload_part(0, as_bytes("ab"), {}).ok());
  EXPECT_TRUE(upload->complete(1, {}).failed_with(ErrorCode::kUnavailable));
  EXPECT_TRUE(retrying_->head("key", {}).ok());
}

// Answers that some keys could not be removed, which MemoryStorage never does.
class PartlyRemoving : public MemoryStorage {
 public:
  using MemoryStorage::MemoryStorage;
  Result<std::vector<FailedRemoval>> remove(const std::vector<std::string>& keys,
                                            const CallOptions& options) override {
    asked.push_back(keys);
    VARVE_TRY(MemoryStorage::remove({"done"}, options));
    std::vector<FailedRemoval> failed;
    for (const std::string& key : keys) {
      if (key == "busy" && asked.size() < succeeds_at) {
        failed.push_back({key, Error(ErrorCode::kThrottled, "slow down")});
      }
      if (key == "locked") failed.push_back({key, Error(ErrorCode::kDenied, "locked")});
    }
    return failed;
  }
  std::vector<std::vector<std::string>> asked;
  size_t succeeds_at = 0;
};

TEST(RetryingRemoval, RepeatsOnlyTheKeysThatMaySucceedLater) {
  for (const size_t succeeds_at : {3, 100}) {
    ManualClock clock;
    auto inner = std::make_unique<PartlyRemoving>(clock);
    PartlyRemoving& storage = *inner;
    storage.succeeds_at = succeeds_at;
    Retrying retrying(std::move(inner), {.attempts = 4, .clock = &clock});
    const auto failed = retrying.remove({"done", "busy", "locked"}, {});
    ASSERT_TRUE(failed.ok());
    std::vector<std::string> keys;
    for (const FailedRemoval& removal : *failed) keys.push_back(removal.key);
    if (succeeds_at == 3) {
      EXPECT_THAT(keys, ElementsAre("locked"));
      EXPECT_EQ(storage.asked.size(), 3U);
    } else {
      EXPECT_THAT(keys, ElementsAre("locked", "busy"));
      EXPECT_EQ(storage.asked.size(), 4U);
    }
    EXPECT_THAT(storage.asked[0], ElementsAre("done", "busy", "locked"));
    EXPECT_THAT(storage.asked[1], ElementsAre("busy"));
  }
}

// Whatever goes wrong now and then, what was acknowledged is there and what is read is right.
TEST(RetryingUnderFaults, NothingIsLostOrWrong) {
  ManualClock clock;
  Retrying storage(
      std::make_unique<Faulty>(std::make_unique<MemoryStorage>(clock),
                               random_faults(7, 0.4,
                                             {Fault::fail_before(), Fault::fail_after(),
                                              Fault::tear_stream(5), Fault::delay_by(seconds(1))}),
                               clock),
      {.attempts = 20, .clock = &clock});
  for (int i = 0; i < 100; ++i) {
    const std::string key = fmt::format("key/{}", i);
    const std::string body = fmt::format("the body of number {}", i);
    ASSERT_TRUE(storage.put(key, as_bytes(body), PutCondition::kNone, {}).ok());
    EXPECT_EQ(as_text(get_bytes(storage, key, {}, 100, {}).value()), body);
  }
  EXPECT_EQ(list_all(storage, "key/", {}).value().size(), 100U);
}

}  // namespace
}  // namespace varve
