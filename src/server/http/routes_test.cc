#include "server/http/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "server/http/problem.h"
#include "server/http/test_support/fake_page_service.h"

namespace varve::http {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAreArray;

class RoutesTest : public testing::Test {
 protected:
  Answer send(const std::string& method, const std::string& path, const std::string& body = {},
              std::map<std::string, std::string> query = {}) {
    Request request{.method = method, .path = path, .query = std::move(query), .body = body};
    return send(std::move(request));
  }
  Answer send(Request request) {
    const auto found = router_.find(request);
    if (const auto* refused = std::get_if<Answer>(&found)) return *refused;
    const auto answer = std::get<const Route*>(found)->handler(request);
    return answer.ok() ? *answer : problem(answer.error());
  }
  // What the service was asked for.
  Json asked(const Answer& answer) { return Json::parse(answer.body).at("with"); }

  // What an operation came to.
  Json outcome(const Answer& begun) {
    EXPECT_EQ(begun.status, 202) << begun.body;
    const Answer ended = send("GET", begun.headers.at("Location"));
    EXPECT_EQ(ended.status, 200);
    return Json::parse(ended.body);
  }

  ManualClock clock_;
  FakePageService service_;
  ApiState state_{clock_};
  Router router_{all_routes(service_, state_, "/scratch", [] { return "metrics"; })};
};

TEST_F(RoutesTest, ADocumentDescribesAllOfThemAndNothingElse) {
  const Json document = Json::parse(kOpenApiDocument);
  std::vector<std::string> described;
  for (const auto& [path, item] : document.at("paths").items()) {
    for (const auto& [method, operation] : item.items()) {
      if (method == "parameters") continue;
      std::string text = method + " " + path;
      std::ranges::transform(method, text.begin(), [](unsigned char c) { return std::toupper(c); });
      if (operation.contains("security")) text += " for anybody";
      described.push_back(std::move(text));
    }
  }
  std::vector<std::string> there;
  for (const Route& route : router_.routes()) {
    there.push_back(route.method + " " + route.path +
                    (route.access == Access::kAnybody ? " for anybody" : ""));
  }
  EXPECT_THAT(described, UnorderedElementsAreArray(there));
}

TEST_F(RoutesTest, PathsNameTenantsAndTimelines) {
  EXPECT_EQ(asked(send("GET", "/v1/tenants/a/timelines/b")), "a/b");
  EXPECT_EQ(asked(send("DELETE", "/v1/tenants/a/timelines/b")), "a/b");
  EXPECT_EQ(asked(send("GET", "/v1/tenants/a/timelines")), "a");
  EXPECT_EQ(asked(send("HEAD", "/v1/tenants/a")), "a");
  EXPECT_EQ(asked(send("POST", "/v1/tenants/a/attach")), "a");
  EXPECT_EQ(asked(send("GET", "/v1/status")), Json());
  EXPECT_EQ(asked(send("GET", "/v1/status", {}, {{"timeline", "a/b"}})), "a/b");
}

TEST_F(RoutesTest, WhatIsNotThereIsNotFound) {
  for (const char* path : {"", "/", "/v1", "/v1/tenants/", "/v1/tenants//timelines",
                           "/v1/tenants/a/timelines/b/", "//v1/tenants", "/v1/tenants/a/b"}) {
    EXPECT_EQ(send("GET", path).status, 404) << path;
  }
}

TEST_F(RoutesTest, AnotherMethodIsRefusedWithThoseThatThereAre) {
  const Answer refused = send("PATCH", "/v1/tenants/a/timelines/b");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.headers.at("Allow"), "GET, DELETE");
}

TEST_F(RoutesTest, ATenantIsMadeWithWhatTheBodySays) {
  const std::string id = "00112233445566778899aabbccddeeff";
  const Answer made = send("POST", "/v1/tenants", R"({"tenant_id": ")" + id + R"(", "name": "n"})");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.headers.at("Location"), "/v1/tenants/made");
  EXPECT_EQ(asked(made), (Json{{"id", id}, {"name", "n"}}));
  for (const char* body : {"", "{}", R"({"name": null})"}) {
    EXPECT_EQ(asked(send("POST", "/v1/tenants", body)), (Json{{"id", ""}, {"name", ""}})) << body;
  }
}

TEST_F(RoutesTest, ABodyThatIsNotAsDescribedIsRefused) {
  for (const std::string body :
       {"{", "[]", "1", "{} {}", R"({"nmae": "n"})", R"({"name": 1})", R"({"tenant_id": "x"})",
        R"({"name": "\ud800"})", "{\"name\": \"\xff\"}"}) {
    const Answer refused = send("POST", "/v1/tenants", body);
    EXPECT_EQ(refused.status, 400) << body;
    EXPECT_EQ(refused.content_type, kProblemType);
  }
  EXPECT_EQ(send("POST", "/v1/tenants", std::string(60'000, '[')).status, 400);
}

constexpr char kWait[] = "/v1/tenants/a/timelines/b/wait";

TEST_F(RoutesTest, AWaitIsForWhatTheBodySays) {
  const Answer reached =
      send("POST", kWait, R"({"lsn": "0/1A", "for": "checkpointed", "timeout_seconds": 0})");
  EXPECT_EQ(asked(reached), (Json{{"timeline", "a/b"}, {"lsn", "0/1A"}, {"for", "checkpointed"}}));
}

TEST_F(RoutesTest, AWaitThatTakesTooLongOrIsUnclearIsRefused) {
  for (const char* timeout : {"-1", "30.1", "1e308", "\"1\""}) {
    const auto body =
        fmt::format(R"({{"lsn": "0/1", "for": "remote", "timeout_seconds": {}}})", timeout);
    EXPECT_EQ(send("POST", kWait, body).status, 400) << timeout;
  }
  for (const char* body : {"{}", R"({"lsn": "0/1"})", R"({"for": "remote"})",
                           R"({"lsn": "1", "for": "remote"})", R"({"lsn": "0/1", "for": "x"})"}) {
    EXPECT_EQ(send("POST", kWait, body).status, 400) << body;
  }
}

TEST_F(RoutesTest, AWaitEndsAtItsTimeOrWhenTheServerIsStopped) {
  Request request{.method = "POST",
                  .path = kWait,
                  .body = R"({"lsn": "0/0", "for": "remote", "timeout_seconds": 0.001})"};
  EXPECT_EQ(send(request).status, 504);
  std::stop_source stop;
  stop.request_stop();
  request.body = R"({"lsn": "0/0", "for": "remote"})";
  request.stop = stop.get_token();
  const Answer stopped = send(request);
  EXPECT_EQ(stopped.status, 503);
  EXPECT_EQ(stopped.headers.at("Retry-After"), "1");
}

TEST_F(RoutesTest, OneMoreThatWaitsThanThereIsRoomForIsToldToComeBack) {
  Routes routes;
  add_wait_routes(routes, service_, state_, {.concurrent = 1});
  const Handler wait = routes.front().handler;
  Request request{.method = "POST",
                  .path = kWait,
                  .parameters = {{"tenant", "a"}, {"timeline", "b"}},
                  .body = R"({"lsn": "0/0", "for": "remote", "timeout_seconds": 0})"};
  std::stop_source stop;
  Request waiting = request;
  waiting.body = R"({"lsn": "0/0", "for": "remote"})";
  waiting.stop = stop.get_token();
  std::jthread first([&] {
    // The other may have the place just then.
    auto result = wait(waiting);
    while (result.failed_with(ErrorCode::kThrottled)) result = wait(waiting);
    EXPECT_TRUE(result.failed_with(ErrorCode::kUnavailable));
  });
  while (!wait(request).failed_with(ErrorCode::kThrottled)) std::this_thread::yield();
  stop.request_stop();
  first.join();
  EXPECT_TRUE(wait(request).failed_with(ErrorCode::kCancelled));
}

TEST_F(RoutesTest, ABranchBeginsWhereTheBodySays) {
  const Answer made =
      send("POST", "/v1/tenants/a/timelines/b/branches", R"({"lsn": "0/1A", "name": "n"})");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.headers.at("Location"), "/v1/tenants/made/timelines/made");
  EXPECT_EQ(asked(made), (Json{{"parent", "a/b"}, {"at", "0/1A"}, {"name", "n"}}));
  EXPECT_EQ(asked(send("POST", "/v1/tenants/a/timelines/b/branches")),
            (Json{{"parent", "a/b"}, {"at", "last"}, {"name", ""}}));
  EXPECT_EQ(asked(send("POST", "/v1/tenants/a/timelines/b/branches",
                       R"({"time": "2026-11-21T20:15:00+02:00"})"))
                .at("at"),
            "2026-11-21T18:15:00.000000Z");
  for (const char* body : {R"({"lsn": "x"})", R"({"time": "now"})",
                           R"({"lsn": "0/1", "time": "2026-11-21T20:15:00Z"})"}) {
    EXPECT_EQ(send("POST", "/v1/tenants/a/timelines/b/branches", body).status, 400) << body;
  }
}

TEST_F(RoutesTest, TheLsnOfATimeIsAskedForByTheQuery) {
  const std::string path = "/v1/tenants/a/timelines/b/lsn";
  EXPECT_EQ(asked(send("GET", path, {}, {{"time", "2026-11-21 20:15:00"}})),
            (Json{{"timeline", "a/b"}, {"time", "2026-11-21T20:15:00.000000Z"}}));
  EXPECT_EQ(send("GET", path).status, 400);
  EXPECT_EQ(send("GET", path, {}, {{"time", "yesterday"}}).status, 400);
}

TEST_F(RoutesTest, WhatTakesLongIsAnOperation) {
  for (const std::string name : {"checkpoint", "prefetch", "gc"}) {
    const Json ended = outcome(send("POST", "/v1/tenants/a/timelines/b/" + name));
    EXPECT_EQ(ended.at("finished"), true);
    EXPECT_EQ(ended.at("result").at("call"), name);
    EXPECT_EQ(ended.at("result").at("with"), "a/b");
  }
  EXPECT_EQ(asked(send("POST", "/v1/tenants/a/timelines/b/drop_local")), "a/b");
  EXPECT_EQ(outcome(send("POST", "/v1/tenants/a/detach")).at("result").at("call"), "detach");
  EXPECT_EQ(outcome(send("DELETE", "/v1/tenants/a")).at("result").at("call"), "delete tenant");
  EXPECT_EQ(send("GET", "/v1/operations/none").status, 404);
}

TEST_F(RoutesTest, AnOperationTellsHowFarItIs) {
  const Json ended = outcome(send("POST", "/v1/tenants/a/timelines/b/checkpoint"));
  EXPECT_EQ(ended.at("bytes_done"), 1);
  EXPECT_EQ(ended.at("bytes_total"), 2);
}

TEST_F(RoutesTest, AnOperationThatFailsTellsTheProblem) {
  // The timeline is there, and what is done with it fails.
  const Answer begun = *state_.operations.start([](const CallOptions&, const ByteProgress&) {
    return Result<Json>(make_error(ErrorCode::kConflict, "not now"));
  });
  const Json ended = outcome(begun);
  EXPECT_EQ(ended.at("finished"), true);
  EXPECT_EQ(ended.at("problem").at("status"), 409);
  EXPECT_EQ(ended.at("problem").at("detail"), "not now");
}

TEST_F(RoutesTest, AnOperationOnATimelineThatIsNotThereIsNotBegun) {
  service_.failure = Error(ErrorCode::kNotFound, "none");
  EXPECT_EQ(send("POST", "/v1/tenants/a/timelines/b/checkpoint").status, 404);
}

Key key_of(uint8_t number) {
  Key key;
  key.bytes[0] = number;
  return key;
}

std::string batch_of(const std::map<Key, std::string>& images) {
  ImageBatchWriter batch;
  for (const auto& [key, image] : images) batch.put(key, as_bytes(image));
  return batch.take();
}

class ImportTest : public RoutesTest {
 protected:
  std::string start() {
    const Answer started =
        send("POST", "/v1/tenants/a/imports", R"({"image_lsn": "0/10", "name": "n"})");
    EXPECT_EQ(started.status, 201);
    return started.headers.at("Location");
  }
  int put(const std::string& import, const std::string& number, const std::string& batch) {
    return send("POST", import + "/images", batch, {{"batch", number}}).status;
  }
  Answer commit(const std::string& import, int batches) {
    const Json body{
        {"batches", batches}, {"last_record_lsn", "0/20"}, {"system_identifier", "12345"}};
    return send("POST", import + "/commit", body.dump());
  }
};

TEST_F(ImportTest, ItHasTheImagesOfItsBatches) {
  const std::string import = start();
  EXPECT_EQ(put(import, "0", batch_of({{key_of(1), "one"}, {key_of(2), ""}})), 200);
  EXPECT_EQ(put(import, "1", batch_of({{key_of(3), std::string(9000, 'x')}})), 200);
  const Json ended = outcome(commit(import, 2));
  EXPECT_EQ(ended.at("result").at("with"), (Json{{"tenant", "a"},
                                                 {"name", "n"},
                                                 {"image_lsn", "0/10"},
                                                 {"last_record_lsn", "0/20"},
                                                 {"system_identifier", 12345}}));
  EXPECT_EQ(service_.images,
            (std::map<Key, std::string>{
                {key_of(1), "one"}, {key_of(2), ""}, {key_of(3), std::string(9000, 'x')}}));
  EXPECT_EQ(commit(import, 2).status, 404);
}

TEST_F(ImportTest, ABatchThatComesTwiceIsTakenOnceAndOneThatIsMissingIsMissed) {
  const std::string import = start();
  const std::string first = batch_of({{key_of(1), "one"}});
  EXPECT_EQ(put(import, "0", first), 200);
  service_.images.clear();
  EXPECT_EQ(put(import, "0", first), 200);
  EXPECT_TRUE(service_.images.empty());
  EXPECT_EQ(put(import, "2", batch_of({{key_of(3), "three"}})), 409);
  EXPECT_EQ(outcome(commit(import, 2)).at("problem").at("status"), 409);
}

TEST_F(ImportTest, ABatchThatIsDamagedOrOutOfOrderIsRefusedWhole) {
  const std::string import = start();
  EXPECT_EQ(put(import, "0", batch_of({{key_of(2), "two"}})), 200);
  service_.images.clear();
  EXPECT_EQ(put(import, "1", batch_of({{key_of(1), "one"}, {key_of(3), "three"}})), 400);
  std::string damaged = batch_of({{key_of(3), "three"}, {key_of(4), "four"}});
  damaged.back() ^= 1;
  EXPECT_EQ(put(import, "1", damaged), 400);
  EXPECT_EQ(put(import, "1", damaged.substr(0, damaged.size() - 1)), 400);
  EXPECT_EQ(put(import, "1", ""), 400);
  EXPECT_TRUE(service_.images.empty());
  EXPECT_EQ(put(import, "1", batch_of({{key_of(3), "three"}})), 200);
}

TEST_F(ImportTest, AnImportThatIsGivenUpIsGone) {
  const std::string import = start();
  EXPECT_EQ(service_.open_imports, 1U);
  EXPECT_EQ(send("DELETE", import).status, 200);
  EXPECT_EQ(service_.open_imports, 0U);
  EXPECT_EQ(send("DELETE", import).status, 404);
  EXPECT_EQ(put(import, "0", batch_of({})), 404);
}

TEST_F(ImportTest, AfterAFailureNothingMoreIsTaken) {
  const std::string import = start();
  service_.failure = Error(ErrorCode::kExhausted, "the disk is full");
  EXPECT_EQ(put(import, "0", batch_of({{key_of(1), "one"}})), 507);
  service_.failure.reset();
  EXPECT_EQ(put(import, "0", batch_of({{key_of(1), "one"}})), 409);
  EXPECT_EQ(outcome(commit(import, 0)).at("problem").at("status"), 409);
}

TEST_F(RoutesTest, ASnapshotGivesItsImagesInBatches) {
  // Two batches and a bit.
  const std::string image(kImageBatchSize / 2, 'x');
  for (uint8_t i = 1; i <= 5; ++i) service_.images[key_of(i)] = image + std::to_string(i);
  const Answer opened = send("POST", "/v1/tenants/a/timelines/b/snapshots", R"({"lsn": "0/1A"})");
  EXPECT_EQ(opened.status, 201);
  const std::string path = opened.headers.at("Location");
  const Json shown = Json::parse(send("GET", path).body);
  EXPECT_EQ(shown.at("lsn"), "0/1A");
  EXPECT_EQ(shown.at("timeline").at("timeline"), "a/b");
  EXPECT_EQ(shown.at("layer_bytes_fetched"), 2);

  std::map<Key, std::string> read;
  std::map<std::string, std::string> query{{"to", key_of(5).to_string()}};
  int batches = 0;
  for (bool more = true; more; ++batches) {
    const Answer answer = send("GET", path + "/images", {}, query);
    ASSERT_EQ(answer.status, 200);
    ASSERT_TRUE(read_image_batch(as_bytes(answer.body), [&](const Key& key, ByteView bytes) {
                  read[key] = as_text(bytes);
                  return Result<>();
                }).ok());
    more = answer.headers.contains(kNextKeyHeader);
    if (more) query["from"] = answer.headers.at(kNextKeyHeader);
  }
  EXPECT_EQ(batches, 2);
  auto expected = service_.images;
  expected.erase(key_of(5));
  EXPECT_EQ(read, expected);
  EXPECT_EQ(send("GET", path + "/images", {}, {{"from", "x"}}).status, 400);
  EXPECT_EQ(send("DELETE", path).status, 200);
  EXPECT_EQ(service_.open_snapshots, 0U);
  EXPECT_EQ(send("GET", path + "/images").status, 404);
}

TEST_F(RoutesTest, WhatAClientHasLeftAloneIsGivenUpWithoutAnotherRequest) {
  ASSERT_EQ(send("POST", "/v1/tenants/a/imports", R"({"image_lsn": "0/1"})").status, 201);
  ASSERT_EQ(send("POST", "/v1/tenants/a/timelines/b/snapshots", "{}").status, 201);
  clock_.advance(std::chrono::minutes(4));
  state_.give_up_idle();
  EXPECT_EQ(service_.open_imports + service_.open_snapshots, 2U);
  clock_.advance(std::chrono::minutes(2));
  state_.give_up_idle();
  EXPECT_EQ(service_.open_imports + service_.open_snapshots, 0U);
}

TEST(Sessions, OneThatNobodyUsesIsGivenUp) {
  ManualClock clock;
  Sessions<int> sessions("thing", {.count = 2, .idle = std::chrono::seconds(10)}, clock);
  const auto first = std::make_shared<int>(1);
  const std::string used = *sessions.add(first);
  const std::string idle = *sessions.add(std::make_shared<int>(2));
  EXPECT_TRUE(sessions.add(std::make_shared<int>(3)).failed_with(ErrorCode::kThrottled));
  clock.advance(std::chrono::seconds(11));
  // Somebody holds it.
  EXPECT_TRUE(sessions.find(used).ok());
  const auto gone = sessions.find(idle);
  EXPECT_TRUE(gone.failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(gone.error().message(), HasSubstr("no thing"));
  EXPECT_TRUE(sessions.add(std::make_shared<int>(3)).ok());
}

TEST(OperationsTest, AStopWaitsForThoseThatRunAndTakesNoOther) {
  Operations operations({});
  std::promise<void> go_on;
  const Answer begun = *operations.start([&](const CallOptions&, const ByteProgress&) {
    go_on.get_future().wait();
    return Result<Json>(Json(1));
  });
  EXPECT_FALSE(operations.finish_within(Duration::zero()));
  const auto refused = operations.start(
      [](const CallOptions&, const ByteProgress&) { return Result<Json>(Json()); });
  EXPECT_TRUE(refused.failed_with(ErrorCode::kUnavailable));
  go_on.set_value();
  EXPECT_TRUE(operations.finish_within(std::chrono::minutes(1)));
}

TEST(OperationsTest, AnInterruptionReachesThoseThatRun) {
  Operations operations({});
  std::ignore = operations.start([&](const CallOptions& call, const ByteProgress&) -> Result<Json> {
    system_clock().sleep(std::chrono::hours(1), call.stop);
    return call.check("it").error();
  });
  operations.interrupt();
  EXPECT_TRUE(operations.finish_within(std::chrono::minutes(1)));
}

TEST_F(RoutesTest, AnErrorKeepsItsCodeAndTextOnTheWayToTheClient) {
  for (const auto& [code, status] : std::map<ErrorCode, int>{{ErrorCode::kNotFound, 404},
                                                             {ErrorCode::kInvalidArgument, 400},
                                                             {ErrorCode::kConflict, 409},
                                                             {ErrorCode::kUnavailable, 503},
                                                             {ErrorCode::kThrottled, 429},
                                                             {ErrorCode::kDenied, 403},
                                                             {ErrorCode::kCorrupted, 500},
                                                             {ErrorCode::kCancelled, 504},
                                                             {ErrorCode::kExhausted, 507},
                                                             {ErrorCode::kInternal, 500}}) {
    service_.failure = Error(code, "what \"failed\"");
    const Answer answer = send("GET", "/v1/tenants");
    EXPECT_EQ(answer.status, status);
    const Error told = error_of(answer.status, answer.body);
    EXPECT_EQ(told.code(), code);
    EXPECT_EQ(told.message(), "what \"failed\"");
  }
}

TEST_F(RoutesTest, AnErrorThatSaysWhatItWasSentIsStillAProblemDocument) {
  service_.failure = Error(ErrorCode::kNotFound, "there is no '\xff'");
  EXPECT_THAT(send("GET", "/v1/tenants/\xff").body, HasSubstr("there is no"));
  EXPECT_EQ(send("GET", "/\xff").status, 404);
}

TEST(Problem, AnAnswerOfSomebodyElseKeepsItsStatus) {
  EXPECT_EQ(error_of(502, "<html>").code(), ErrorCode::kUnavailable);
  EXPECT_THAT(error_of(502, "<html>").message(), HasSubstr("502"));
  EXPECT_EQ(error_of(404, "[]").code(), ErrorCode::kInternal);
  EXPECT_EQ(error_of(404, R"({"code": 1})").code(), ErrorCode::kInternal);
}

}  // namespace
}  // namespace varve::http
