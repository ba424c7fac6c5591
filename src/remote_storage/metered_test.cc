#include "remote_storage/metered.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "remote_storage/faulty.h"
#include "remote_storage/memory.h"
#include "remote_storage/streams.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

const auto kNothing = [](ByteView) -> Result<> { return {}; };

TEST(Metered, CountsRequestsByKindAndOutcome) {
  Metered storage(std::make_unique<MemoryStorage>(), {});
  ASSERT_TRUE(storage.put("key", as_bytes("12345"), PutCondition::kIfAbsent, {}).ok());
  ASSERT_FALSE(storage.put("key", as_bytes("12345"), PutCondition::kIfAbsent, {}).ok());
  ASSERT_TRUE(storage.get("key", ByteRange::from(2), kNothing, {}).ok());
  ASSERT_FALSE(storage.get("absent", {}, kNothing, {}).ok());
  ASSERT_TRUE(storage.head("key", {}).ok());
  ASSERT_TRUE(storage.list("", "", {}).ok());
  ASSERT_TRUE(storage.remove({"key", "other"}, {}).ok());

  const RequestCounts counts = storage.counts();
  EXPECT_EQ(counts.total(Operation::kPut), 2U);
  EXPECT_EQ(counts.count(Operation::kPut, std::nullopt), 1U);
  EXPECT_EQ(counts.count(Operation::kPut, ErrorCode::kConflict), 1U);
  EXPECT_EQ(counts.count(Operation::kGet, ErrorCode::kNotFound), 1U);
  EXPECT_EQ(counts.total(Operation::kHead), 1U);
  EXPECT_EQ(counts.total(Operation::kList), 1U);
  EXPECT_EQ(counts.total(Operation::kDelete), 1U);
  EXPECT_EQ(counts.bytes_sent, 5U);
  EXPECT_EQ(counts.bytes_received, 3U);
}

TEST(Metered, CountsEveryStepOfAMultipartUpload) {
  Metered storage(std::make_unique<MemoryStorage>(), {});
  {
    const auto upload = storage.start_multipart("one", 2, {}).value();
    ASSERT_TRUE(upload->upload_part(0, as_bytes("ab"), {}).ok());
    ASSERT_TRUE(upload->upload_part(1, as_bytes("c"), {}).ok());
    ASSERT_TRUE(upload->complete(2, {}).ok());
  }
  {
    const auto forgotten = storage.start_multipart("two", 2, {}).value();
  }
  {
    const auto aborted = storage.start_multipart("three", 2, {}).value();
    ASSERT_TRUE(aborted->abort({}).ok());
  }
  ASSERT_TRUE(storage.list_uploads("", "", {}).ok());
  ASSERT_TRUE(storage.abort_upload("four", "4", {}).ok());
  const RequestCounts counts = storage.counts();
  EXPECT_EQ(counts.total(Operation::kMultipartCreate), 3U);
  EXPECT_EQ(counts.total(Operation::kMultipartPart), 2U);
  EXPECT_EQ(counts.total(Operation::kMultipartComplete), 1U);
  EXPECT_EQ(counts.total(Operation::kMultipartAbort), 3U);
  EXPECT_EQ(counts.total(Operation::kMultipartList), 1U);
  EXPECT_EQ(counts.bytes_sent, 3U);
}

TEST(Metered, CountsTheBytesOfADownloadThatBrokeOff) {
  Metered storage(
      std::make_unique<Faulty>(
          std::make_unique<MemoryStorage>(),
          fault_rules({{.operation = Operation::kGet, .fault = Fault::tear_stream(4)}})),
      {});
  ASSERT_TRUE(storage.put("key", as_bytes("0123456789"), PutCondition::kNone, {}).ok());
  ASSERT_FALSE(storage.get("key", {}, kNothing, {}).ok());
  EXPECT_EQ(storage.counts().bytes_received, 4U);
  EXPECT_EQ(storage.counts().count(Operation::kGet, ErrorCode::kUnavailable), 1U);
}

TEST(Metered, GoesOnFromCountsThatWereKept) {
  RequestCounts kept;
  kept.requests[static_cast<size_t>(Operation::kPut)][RequestCounts::outcome(std::nullopt)] = 41;
  kept.bytes_sent = 1000;
  Metered storage(std::make_unique<MemoryStorage>(), {.initial = kept});
  ASSERT_TRUE(storage.put("key", as_bytes("x"), PutCondition::kNone, {}).ok());
  EXPECT_EQ(storage.counts().total(Operation::kPut), 42U);
  EXPECT_EQ(storage.counts().bytes_sent, 1001U);
}

TEST(Metered, B5_ExportsCountsBytesDurationsAndCost) {
  ManualClock clock;
  Metrics metrics;
  Metered storage(
      std::make_unique<Faulty>(std::make_unique<MemoryStorage>(clock),
                               fault_rules({{.operation = Operation::kPut,
                                             .fault = Fault::delay_by(std::chrono::seconds(2))}}),
                               clock),
      {.metrics = &metrics, .clock = &clock});
  ASSERT_TRUE(storage.put("key", as_bytes("12345"), PutCondition::kIfAbsent, {}).ok());
  ASSERT_FALSE(storage.put("key", as_bytes("12345"), PutCondition::kIfAbsent, {}).ok());
  ASSERT_TRUE(storage.get("key", {}, kNothing, {}).ok());
  const std::string text = metrics.text();
  EXPECT_THAT(text,
              HasSubstr("varve_remote_storage_requests_total{operation=\"put\",result=\"ok\"} 1"));
  EXPECT_THAT(
      text,
      HasSubstr("varve_remote_storage_requests_total{operation=\"put\",result=\"Conflict\"} 1"));
  EXPECT_THAT(text, HasSubstr("varve_remote_storage_bytes_total{direction=\"sent\"} 5"));
  EXPECT_THAT(text, HasSubstr("varve_remote_storage_bytes_total{direction=\"received\"} 5"));
  EXPECT_THAT(text, HasSubstr("varve_remote_storage_request_seconds_sum{operation=\"put\"} 2"));
  EXPECT_THAT(text, HasSubstr("varve_remote_storage_cost_usd_total 1.04"));
}

TEST(RequestCounts, AddUp) {
  RequestCounts one;
  one.requests[0][0] = 1;
  one.requests[8][10] = 2;
  one.bytes_sent = 3;
  one.bytes_received = 4;
  RequestCounts sum = one;
  sum += one;
  EXPECT_EQ(sum.requests[0][0], 2U);
  EXPECT_EQ(sum.requests[8][10], 4U);
  EXPECT_EQ(sum.bytes_sent, 6U);
  EXPECT_EQ(sum.bytes_received, 8U);
}

TEST(Prices, W3_OneThousandRequestsOfAKindCostTheirListPrice) {
  const auto cost = [](Operation operation) {
    RequestCounts counts;
    counts.requests[static_cast<size_t>(operation)][RequestCounts::outcome(std::nullopt)] = 900;
    counts.requests[static_cast<size_t>(operation)][RequestCounts::outcome(ErrorCode::kConflict)] =
        100;
    return cost_usd(counts);
  };
  for (const Operation operation :
       {Operation::kPut, Operation::kList, Operation::kMultipartCreate, Operation::kMultipartPart,
        Operation::kMultipartComplete, Operation::kMultipartList}) {
    EXPECT_DOUBLE_EQ(cost(operation), 0.005) << name(operation);
  }
  EXPECT_DOUBLE_EQ(cost(Operation::kGet), 0.0004);
  EXPECT_DOUBLE_EQ(cost(Operation::kHead), 0.0004);
  EXPECT_DOUBLE_EQ(cost(Operation::kDelete), 0);
  EXPECT_DOUBLE_EQ(cost(Operation::kMultipartAbort), 0);
}

}  // namespace
}  // namespace varve
