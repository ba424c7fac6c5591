#include "remote_storage/s3/curl_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "remote_storage/s3/test_support/scripted_server.h"

namespace varve::s3 {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Then = ScriptedAnswer::Then;

class CurlTransportTest : public ::testing::Test {
 protected:
  Result<HttpResponse> send(HttpRequest request, const HttpSink* sink = nullptr,
                            const CallOptions& options = {}) {
    request.url = server_.url() + request.url;
    return transport_->send(request, sink, options);
  }
  void use(const CurlTransport::Options& options) {
    transport_ = CurlTransport::create(options).value();
  }

  ScriptedServer server_;
  std::unique_ptr<CurlTransport> transport_ = CurlTransport::create({}).value();
};

TEST_F(CurlTransportTest, ARequestIsSentAsItStandsAndItsAnswerComesBack) {
  server_.answer({.status = 404, .headers = {{"X-Amz-Request-Id", "  r1 "}}, .body = "gone"});
  const std::string body = "content";
  const auto response = send({.method = "PUT",
                              .url = "/a%20b/../c?x=1&y",
                              .headers = {{"x-amz-date", "now"}, {"x-empty", ""}},
                              .body = as_bytes(body)});
  ASSERT_TRUE(response.ok()) << response.error().message();
  EXPECT_EQ(response->status, 404);
  EXPECT_EQ(find_header(response->headers, "x-amz-request-id"), "r1");
  EXPECT_EQ(as_text(response->body), "gone");

  const ReceivedRequest request = server_.requests().at(0);
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.target, "/a%20b/../c?x=1&y");
  EXPECT_EQ(request.body, "content");
  EXPECT_EQ(request.headers.at("content-length"), "7");
  EXPECT_EQ(request.headers.at("x-amz-date"), "now");
  EXPECT_EQ(request.headers.at("x-empty"), "");
  EXPECT_EQ(request.headers.at("host"), server_.authority());
  EXPECT_EQ(request.headers.at("user-agent"), "varve/" VARVE_VERSION);
  EXPECT_FALSE(request.headers.contains("expect"));
  EXPECT_FALSE(request.headers.contains("transfer-encoding"));
}

TEST_F(CurlTransportTest, EveryMethodHasTheBodyThatBelongsToIt) {
  for (const auto* method : {"GET", "HEAD", "DELETE", "PUT", "POST"}) {
    server_.answer({.headers = {{"X-Method", method}}, .body = "answer"});
    const auto response = send({.method = method, .url = "/"});
    ASSERT_TRUE(response.ok()) << response.error().message();
    EXPECT_EQ(find_header(response->headers, "x-method"), method);
    EXPECT_EQ(as_text(response->body), method == std::string("HEAD") ? "" : "answer");
    const bool has_length = server_.requests().back().headers.contains("content-length");
    EXPECT_EQ(has_length, method == std::string("PUT") || method == std::string("POST"));
  }
}

// A variable of the environment, until the end of the block.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  ~ScopedVariable() { ::unsetenv(name_); }

 private:
  const char* const name_;
};

TEST_F(CurlTransportTest, AProxyIsBypassedForServicesOfTheMachineOnly) {
  const ScopedVariable variable("http_proxy", server_.url());
  server_.answer({.body = "of the proxy"});
  const auto proxied = transport_->send({.url = "http://s3.invalid/x"}, nullptr, {});
  ASSERT_TRUE(proxied.ok()) << proxied.error().message();
  EXPECT_EQ(server_.requests().back().target, "http://s3.invalid/x");
  server_.answer({.body = "of the service"});
  ASSERT_TRUE(send({.url = "/x", .bypass_proxy = true}).ok());
  EXPECT_EQ(server_.requests().back().target, "/x");
}

TEST_F(CurlTransportTest, AConnectionIsUsedAgain) {
  for (int i = 0; i < 5; ++i) {
    server_.answer({.body = "x"});
    ASSERT_TRUE(send({.url = "/"}).ok());
    EXPECT_EQ(server_.requests().back().connection, 0);
  }
}

TEST_F(CurlTransportTest, AGetIsSentAgainWhenItsKeptConnectionWasClosed) {
  server_.answer({.then = Then::kClose});
  server_.answer({.body = "x"});
  ASSERT_TRUE(send({.url = "/"}).ok());
  EXPECT_TRUE(send({.url = "/"}).ok());
}

TEST_F(CurlTransportTest, OnlyLargeBodiesWaitForTheServersConsent) {
  server_.answer({});
  const std::string large(2 << 20, 'x');
  ASSERT_TRUE(send({.method = "PUT", .url = "/", .body = as_bytes(large)}).ok());
  EXPECT_EQ(server_.requests().at(0).headers.at("expect"), "100-continue");
  EXPECT_EQ(server_.requests().at(0).body, large);

  server_.answer({.status = 403, .body = "no", .before_body = true, .then = Then::kClose});
  const auto refused = send({.method = "PUT", .url = "/", .body = as_bytes(large)});
  ASSERT_TRUE(refused.ok()) << refused.error().message();
  EXPECT_EQ(refused->status, 403);
  EXPECT_EQ(server_.requests().at(1).body, "") << "a refusal comes before the body";
}

TEST_F(CurlTransportTest, ARedirectIsAnAnswerLikeAnyOther) {
  server_.answer({.status = 307, .headers = {{"Location", server_.url() + "/other"}}});
  EXPECT_EQ(send({.url = "/"})->status, 307);
  EXPECT_EQ(server_.requests().size(), 1U);
}

TEST_F(CurlTransportTest, ABodyIsStreamedIntoTheSink) {
  server_.answer({.headers = {{"X-Size", "big"}}, .body = std::string(3 << 20, 'x')});
  server_.answer({.headers = {{"X-Size", "none"}}});
  std::vector<std::string> events;
  uint64_t received = 0;
  const HttpSink sink{.start = [&](const HttpResponse& response) -> Result<> {
                        events.emplace_back(find_header(response.headers, "x-size").value_or(""));
                        return {};
                      },
                      .write = [&](ByteView bytes) -> Result<> {
                        EXPECT_EQ(events.size(), 1U) << "the start comes before the first byte";
                        received += bytes.size();
                        return {};
                      }};
  const auto response = send({.url = "/"}, &sink);
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(received, 3U << 20);
  EXPECT_TRUE(response->body.empty());
  ASSERT_TRUE(send({.url = "/"}, &sink).ok());
  EXPECT_THAT(events, ElementsAre("big", "none")) << "an empty body starts as well";
  server_.answer({.status = 404, .body = "why"});
  EXPECT_EQ(as_text(send({.url = "/"}, &sink)->body), "why");
  EXPECT_EQ(events.size(), 2U) << "a failure is not for the sink";
}

TEST_F(CurlTransportTest, AnErrorOfTheSinkIsTheResult) {
  for (const bool at_start : {true, false}) {
    server_.answer({.body = "x"});
    const auto fail = [] { return make_error(ErrorCode::kExhausted, "disk full"); };
    const HttpSink sink{.start = [&](const HttpResponse&) -> Result<> {
                          if (at_start) return fail();
                          return {};
                        },
                        .write = [&](ByteView) -> Result<> { return fail(); }};
    const auto response = send({.url = "/"}, &sink);
    ASSERT_TRUE(response.failed_with(ErrorCode::kExhausted));
    EXPECT_EQ(response.error().message(), "disk full");
  }
}

TEST_F(CurlTransportTest, AnAnswerThatIsCutShortIsUnavailable) {
  for (const Then then : {Then::kClose, Then::kReset}) {
    server_.answer({.body = "half", .content_length = 8, .then = then});
    EXPECT_TRUE(send({.url = "/"}).failed_with(ErrorCode::kUnavailable));
    server_.answer({.silent = true, .then = then});
    EXPECT_TRUE(send({.url = "/"}).failed_with(ErrorCode::kUnavailable));
  }
}

TEST_F(CurlTransportTest, APutThatBreaksOffIsNotSentTwice) {
  server_.answer({});
  ASSERT_TRUE(send({.url = "/"}).ok());
  const std::string body = "x";
  server_.answer({.silent = true, .then = Then::kClose});
  server_.answer({});
  EXPECT_TRUE(send({.method = "PUT", .url = "/", .body = as_bytes(body)})
                  .failed_with(ErrorCode::kUnavailable));
  EXPECT_EQ(server_.requests().size(), 2U);
}

TEST_F(CurlTransportTest, AServerThatDoesNotAnswerIsUnavailable) {
  use({.first_byte_timeout = milliseconds(50)});
  server_.answer({.silent = true, .then = Then::kHang});
  const auto response = send({.url = "/secret?token=hush"});
  ASSERT_TRUE(response.failed_with(ErrorCode::kUnavailable));
  EXPECT_THAT(response.error().message(),
              AllOf(HasSubstr(server_.authority()), HasSubstr("did not begin to answer"),
                    Not(HasSubstr("hush"))));
}

TEST_F(CurlTransportTest, AnAnswerThatStallsIsUnavailable) {
  use({.stall_timeout = milliseconds(50)});
  server_.answer({.body = "half", .content_length = 8, .then = Then::kHang});
  const auto response = send({.url = "/"});
  ASSERT_TRUE(response.failed_with(ErrorCode::kUnavailable));
  EXPECT_THAT(response.error().message(), HasSubstr("not a byte"));
}

TEST_F(CurlTransportTest, AServerThatDoesNotListenIsUnavailable) {
  const auto response = transport_->send({.url = "http://127.0.0.1:1/"}, nullptr, {});
  ASSERT_TRUE(response.failed_with(ErrorCode::kUnavailable));
  EXPECT_THAT(response.error().message(), HasSubstr("127.0.0.1:1"));
}

TEST_F(CurlTransportTest, W2_AStopEndsACallThatHangs) {
  for (const bool silent : {true, false}) {
    server_.answer({.body = "half", .content_length = 8, .silent = silent, .then = Then::kHang});
    std::stop_source source;
    const size_t before = server_.requests().size();
    std::jthread stopper([&] {
      while (server_.requests().size() == before) std::this_thread::yield();
      source.request_stop();
    });
    EXPECT_TRUE(send({.url = "/"}, nullptr, {.stop = source.get_token()})
                    .failed_with(ErrorCode::kCancelled));
  }
}

TEST_F(CurlTransportTest, W2_ADeadlineEndsACallThatHangs) {
  server_.answer({.silent = true, .then = Then::kHang});
  EXPECT_TRUE(send({.url = "/"}, nullptr, {.deadline = Deadline::after(milliseconds(30))})
                  .failed_with(ErrorCode::kCancelled));
}

TEST_F(CurlTransportTest, AnAnswerThatIsTooLongForMemoryIsCorrupted) {
  server_.answer({.body = std::string(HttpTransport::kMaximumBody + 1, 'x')});
  EXPECT_TRUE(send({.url = "/"}).failed_with(ErrorCode::kCorrupted));
}

TEST_F(CurlTransportTest, SeveralThreadsSendAtOnce) {
  for (int i = 0; i < 40; ++i) server_.answer({.body = "x"});
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) EXPECT_TRUE(send({.url = "/"}).ok());
    });
  }
}

TEST(CurlTransportCreation, ACaFileThatCannotBeReadIsRefused) {
  const auto transport = CurlTransport::create({.ca_file = "/absent/ca.pem"});
  ASSERT_TRUE(transport.failed_with(ErrorCode::kInvalidArgument));
  EXPECT_THAT(transport.error().message(),
              AllOf(HasSubstr("/absent/ca.pem"), HasSubstr("VARVE_S3_CA_FILE")));
}

}  // namespace
}  // namespace varve::s3
