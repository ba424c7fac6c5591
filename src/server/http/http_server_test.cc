#include "server/http/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <latch>

namespace varve::http {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// A client that sends bytes.
class RawClient {
 public:
  explicit RawClient(const ListenAddress& address) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(address.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  }
  ~RawClient() { ::close(socket_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // False when the server has closed.
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      text.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }
  // Until the text has come, or the server closes.
  std::string receive_until(std::string_view end) {
    std::string received;
    char buffer[4096];
    while (received.find(end) == std::string::npos) {
      const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
      if (count <= 0) break;
      received.append(buffer, static_cast<size_t>(count));
    }
    return received;
  }
  std::string receive_all() { return receive_until("never sent"); }

 private:
  const int socket_;
};

constexpr char kRequest[] = "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";

// A request whose body is announced with that size.
std::string post(size_t size, std::string_view body) {
  return fmt::format(
      "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n\r\n{}",
      size, body);
}

class HttpServerTest : public testing::Test {
 protected:
  // `/x` is answered by the handler.
  void start(Handler handler, HttpServerOptions options = {}) {
    options.address = {"127.0.0.1", 0};
    auto server = HttpServer::bind(options);
    ASSERT_TRUE(server.ok()) << server.error().message();
    server_ = *std::move(server);
    server_->start(Router({{.method = "GET", .path = "/x", .handler = handler},
                           {.method = "POST", .path = "/x", .handler = handler}}),
                   metrics_);
  }
  void start_echo(HttpServerOptions options = {}) {
    start(
        [](const Request& request) -> Result<Answer> {
          return Answer{.content_type = "text/plain", .body = "[" + request.body + "]"};
        },
        std::move(options));
  }

  Metrics metrics_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersOneRequestAfterTheOtherOnAConnection) {
  start_echo();
  RawClient client(server_->address());
  ASSERT_TRUE(client.send(fmt::format("{0}{0}", kRequest)));
  EXPECT_THAT(client.receive_until("[]"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(metrics_.text(), HasSubstr("varve_http_requests_total{"));
}

TEST_F(HttpServerTest, ABodyComesToTheHandlerAndEndsTheConnection) {
  start_echo();
  RawClient client(server_->address());
  ASSERT_TRUE(client.send(fmt::format("{}{}", post(2, "ab"), kRequest)));
  const std::string received = client.receive_all();
  EXPECT_THAT(received, HasSubstr("[ab]"));
  EXPECT_EQ(received.find("HTTP/1.1", 1), std::string::npos) << received;
}

TEST_F(HttpServerTest, NoMoreIsReadOfARequestThanItMayHave) {
  start_echo({.connection = {.request_size = 4096}});
  RawClient client(server_->address());
  bool open = client.send("GET /x HTTP/1.1\r\n");
  for (int i = 0; open && i < 100'000; ++i) open = client.send(fmt::format("X: {:x<1000}\r\n", ""));
  EXPECT_FALSE(open);
}

TEST_F(HttpServerTest, ARequestThatDoesNotComeToItsEndIsCutOff) {
  start_echo({.connection = {.request = std::chrono::milliseconds(20)}});
  RawClient client(server_->address());
  ASSERT_TRUE(client.send(post(5, "ab")));
  EXPECT_THAT(client.receive_all(), testing::Not(HasSubstr("[ab")));
}

TEST_F(HttpServerTest, AConnectionThatIsNotUsedIsClosed) {
  start_echo({.connection = {.idle = std::chrono::milliseconds(20)}});
  RawClient client(server_->address());
  EXPECT_EQ(client.receive_all(), "");
}

TEST_F(HttpServerTest, AClientThatDoesNotTakeItsAnswerIsLetGo) {
  start([](const Request&) -> Result<Answer> { return Answer{.body = std::string(64 << 20, 'x')}; },
        {.threads = 1, .connection = {.answer = std::chrono::milliseconds(50)}});
  RawClient client(server_->address());
  ASSERT_TRUE(client.send(kRequest));
  // There is a single thread, and it comes to the second.
  RawClient second(server_->address());
  ASSERT_TRUE(second.send(kRequest));
  EXPECT_THAT(second.receive_until("xxx"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, AStopAnswersWhatIsBeingHandledAndNothingElse) {
  std::latch handling(1);
  start(
      [&](const Request& request) -> Result<Answer> {
        handling.count_down();
        // Told by its token.
        system_clock().sleep(Duration::max(), request.stop);
        return Answer{.body = "last"};
      },
      {.connection = {.idle = std::chrono::hours(1), .request = std::chrono::hours(1)}});
  RawClient idle(server_->address());
  RawClient half(server_->address());
  ASSERT_TRUE(half.send("GET /x HT"));
  RawClient handled(server_->address());
  ASSERT_TRUE(handled.send(kRequest));
  handling.wait();
  server_->stop();
  ASSERT_TRUE(server_->finished_within(std::chrono::seconds(30)));
  EXPECT_THAT(handled.receive_all(), HasSubstr("last"));
  EXPECT_EQ(idle.receive_all(), "");
  EXPECT_THAT(half.receive_all(), testing::Not(HasSubstr("last")));
}

TEST_F(HttpServerTest, SaysWhenAHandlerTakesTooLongToStop) {
  std::latch handling(1);
  std::latch go_on(1);
  start([&](const Request&) -> Result<Answer> {
    handling.count_down();
    go_on.wait();
    return Answer{};
  });
  RawClient client(server_->address());
  ASSERT_TRUE(client.send(kRequest));
  handling.wait();
  server_->stop();
  EXPECT_FALSE(server_->finished_within(std::chrono::milliseconds(1)));
  go_on.count_down();
  EXPECT_TRUE(server_->finished_within(std::chrono::minutes(1)));
}

TEST_F(HttpServerTest, AHandlerThatThrowsIsADefectThatIsTold) {
  start([](const Request&) -> Result<Answer> { throw std::runtime_error("oops"); });
  RawClient client(server_->address());
  ASSERT_TRUE(client.send(kRequest));
  EXPECT_THAT(client.receive_until("}"), HasSubstr(R"("code":"Internal")"));
}

TEST_F(HttpServerTest, WhatIsRefusedBeforeAHandlerSeesItIsCounted) {
  start_echo({.security = {.token = "secret"}});
  const auto send = [&](const std::string& request_line, const std::string& headers = "") {
    RawClient client(server_->address());
    EXPECT_TRUE(client.send(request_line + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n"));
    return client.receive_until("\r\n");
  };
  const std::string token = "Authorization: Bearer secret\r\n";
  const std::string json = "Content-Type: application/json\r\n";
  EXPECT_THAT(send("GET /x"), HasSubstr(" 401 "));
  for (int number = 0; number < 3; ++number) {
    EXPECT_THAT(send(fmt::format("GET /secret/{}", number)), HasSubstr(" 404 "));
  }
  EXPECT_THAT(send("DELETE /x", token), HasSubstr(" 405 "));
  EXPECT_THAT(send("POST /x", token + json + "Content-Length: 1000000\r\n"), HasSubstr(" 413 "));
  EXPECT_THAT(send("GET /" + std::string(1025, 'x')), HasSubstr(" 414 "));
  EXPECT_THAT(send("POST /x", token + "Content-Length: 0\r\n"), HasSubstr(" 415 "));
  EXPECT_THAT(send("SEND /x"), HasSubstr(" 400 "));
  const std::string counted = metrics_.text();
  for (const char* each : {R"({method="GET",route="/x",status="401"} 1)",
                           R"({method="GET",route="unmatched",status="404"} 3)",
                           R"({method="DELETE",route="unmatched",status="405"} 1)",
                           R"({method="POST",route="/x",status="413"} 1)",
                           R"({method="GET",route="unmatched",status="414"} 1)",
                           R"({method="POST",route="/x",status="415"} 1)",
                           R"({method="other",route="unmatched",status="400"} 1)"}) {
    EXPECT_THAT(counted, HasSubstr(fmt::format("varve_http_requests_total{}", each)));
  }
  EXPECT_THAT(counted, testing::Not(HasSubstr("secret")));
}

TEST_F(HttpServerTest, AConnectionBeyondThoseThatMayWaitIsRefusedAtOnce) {
  std::latch handling(1);
  std::latch go_on(1);
  start(
      [&](const Request&) -> Result<Answer> {
        if (!handling.try_wait()) handling.count_down();
        go_on.wait();
        return Answer{.body = "answered"};
      },
      {.threads = 1, .waiting = 1});
  auto handled = std::make_unique<RawClient>(server_->address());
  ASSERT_TRUE(handled->send(kRequest));
  handling.wait();
  RawClient waits(server_->address());
  ASSERT_TRUE(waits.send(kRequest));
  RawClient refused(server_->address());
  const std::string answer = refused.receive_all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(answer, HasSubstr("Retry-After: 1\r\n"));
  EXPECT_THAT(answer, HasSubstr(R"("code":"Unavailable")"));
  EXPECT_THAT(metrics_.text(), HasSubstr("varve_http_connections_refused_total 1\n"));
  go_on.count_down();
  EXPECT_THAT(handled->receive_until("answered"), HasSubstr("answered"));
  handled.reset();
  EXPECT_THAT(waits.receive_until("answered"), HasSubstr("answered"));
}

TEST_F(HttpServerTest, AnAddressInUseIsAConflictThatNamesIt) {
  start_echo();
  const auto second = HttpServer::bind({.address = server_->address()});
  ASSERT_TRUE(second.failed_with(ErrorCode::kConflict));
  EXPECT_THAT(second.error().message(), HasSubstr(server_->address().to_string()));
  // Also of one that was bound and never started.
  auto bound = HttpServer::bind({.address = {"127.0.0.1", 0}});
  ASSERT_TRUE(bound.ok());
  const ListenAddress address = (*bound)->address();
  EXPECT_TRUE(HttpServer::bind({.address = address}).failed_with(ErrorCode::kConflict));
  bound->reset();
  EXPECT_TRUE(HttpServer::bind({.address = address}).ok());
}

TEST_F(HttpServerTest, AnAddressThatIsNotOfThisMachineIsRefused) {
  EXPECT_TRUE(
      HttpServer::bind({.address = {"192.0.2.1", 0}}).failed_with(ErrorCode::kInvalidArgument));
}

}  // namespace
}  // namespace varve::http
