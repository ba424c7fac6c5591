#include "server/http/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

  FakePageService service_;
  Router router_{all_routes(service_, [] { return "metrics"; })};
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
  add_wait_route(routes, service_, {.concurrent = 1});
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
