// Servers that break the protocol, or stay silent: an error, never a crash, never a wait for ever.

#include <gmock/gmock.h>

#include "replication/base_backup.h"
#include "replication/test_support/made_up_server.h"

namespace varve {
namespace {

using namespace made_up;
using testing::HasSubstr;

CallOptions within_a_minute() {
  return {.deadline = Deadline::after(std::chrono::minutes(1))};
}

Error refusal(const MadeUpServer& server, const ReplicationOptions& options = {},
              const CallOptions& call = within_a_minute()) {
  const auto connection = ReplicationConnection::connect(server.connection_string(), call, options);
  if (!connection.ok()) return connection.error();
  ADD_FAILURE() << "connected";
  return {ErrorCode::kInternal, "connected"};
}

ReplicationConnection connect(const MadeUpServer& server, const ReplicationOptions& options = {}) {
  auto connection =
      ReplicationConnection::connect(server.connection_string(), within_a_minute(), options);
  EXPECT_TRUE(connection.ok()) << connection.error().message();
  return std::move(*connection);
}

TEST(BrokenServerTest, AnotherVersionIsRefusedByName) {
  const Error error = refusal(MadeUpServer({greeting("16.3 (Debian 16.3-1)")}));
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message(), HasSubstr("is PostgreSQL 16.3 (Debian 16.3-1)"));
}

TEST(BrokenServerTest, SomethingElseThatListensIsUnavailable) {
  EXPECT_EQ(refusal(MadeUpServer({"HTTP/1.1 400 Bad Request\r\n\r\n"})).code(),
            ErrorCode::kUnavailable);
  EXPECT_EQ(refusal(MadeUpServer({""})).code(), ErrorCode::kUnavailable);
}

TEST(BrokenServerTest, AServerThatStartsIsUnavailable) {
  const std::string starting =
      message('E', zero_ended("SFATAL") + zero_ended("VFATAL") + zero_ended("C57P03") +
                       zero_ended("Mthe database system is starting up") + std::string(1, '\0'));
  const Error error = refusal(MadeUpServer({starting}));
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(error.message(), HasSubstr("is starting up"));
}

TEST(BrokenServerTest, SilenceWhileConnectingEnds) {
  const MadeUpServer silent({}, MadeUpServer::End::kStaysSilent);
  const Error late = refusal(silent, {.connect_timeout = std::chrono::milliseconds(20)});
  EXPECT_EQ(late.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(late.message(), HasSubstr("gave no answer in time"));
  const MadeUpServer other({}, MadeUpServer::End::kStaysSilent);
  EXPECT_EQ(refusal(other, {}, {.deadline = Deadline::after(std::chrono::milliseconds(20))}).code(),
            ErrorCode::kCancelled);
  const MadeUpServer third({}, MadeUpServer::End::kStaysSilent);
  std::stop_source stop;
  const std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_EQ(refusal(third, {}, {.stop = stop.get_token()}).code(), ErrorCode::kCancelled);
}

TEST(BrokenServerTest, AnswersOfTheWrongFormAreCorrupted) {
  for (const std::string& answer :
       {rows({{"7", "1"}}, 2) + complete() + ready(), rows({}, 4) + complete() + ready(),
        rows({{"seven", "1", "0/1", ""}}, 4) + complete() + ready(),
        rows({{"7", "1", "zero", ""}}, 4) + complete() + ready(),
        rows({{"7", "99999999999", "0/1", ""}}, 4) + complete() + ready(), complete() + ready(),
        ready(), copy_out(), copy_both()}) {
    const MadeUpServer server({greeting(), answer});
    ReplicationConnection connection = connect(server);
    const auto identity = connection.identify_system(within_a_minute());
    EXPECT_TRUE(identity.failed_with(ErrorCode::kCorrupted))
        << (identity.ok() ? "ok" : identity.error().message());
  }
}

TEST(BrokenServerTest, AnAnswerThatBreaksOffIsUnavailable) {
  const std::string whole = rows({{"7", "1", "0/1", ""}}, 4) + complete() + ready();
  for (size_t size = 0; size < whole.size(); size += 7) {
    const MadeUpServer server({greeting(), whole.substr(0, size)});
    ReplicationConnection connection = connect(server);
    EXPECT_TRUE(connection.identify_system(within_a_minute()).failed_with(ErrorCode::kUnavailable))
        << size;
  }
}

TEST(BrokenServerTest, AStreamOfNonsenseIsCorrupted) {
  const std::string header = big(uint64_t{0x1000000}) + big(uint64_t{0x2000000}) + big(uint64_t{0});
  for (const std::string& content :
       {std::string("?what"), std::string("w"), "w" + header.substr(1), std::string("k"),
        "k" + header, "w" + big(uint64_t{0x1000008}) + header.substr(8) + "a gap",
        "w" + big(UINT64_MAX) + header.substr(8) + "beyond the end"}) {
    const MadeUpServer server({greeting(), copy_both() + copied(content)});
    ReplicationConnection connection = connect(server);
    ASSERT_TRUE(connection.start_streaming("", {0x1000000}, 1, within_a_minute()).ok());
    const auto event = connection.receive(within_a_minute());
    EXPECT_TRUE(event.failed_with(ErrorCode::kCorrupted))
        << (event.ok() ? "an event" : event.error().message());
    EXPECT_TRUE(connection.identify_system(within_a_minute()).failed_with(ErrorCode::kUnavailable));
  }
}

TEST(BrokenServerTest, AStreamThatBreaksOffWithinAMessageIsUnavailable) {
  const std::string data = copied("w" + std::string(24, '\0') + "some WAL");
  for (const size_t size : {size_t{0}, size_t{3}, size_t{20}, data.size() - 1}) {
    const MadeUpServer server({greeting(), copy_both() + data.substr(0, size)});
    ReplicationConnection connection = connect(server);
    ASSERT_TRUE(connection.start_streaming("", {}, 1, within_a_minute()).ok());
    EXPECT_TRUE(connection.receive(within_a_minute()).failed_with(ErrorCode::kUnavailable));
  }
}

TEST(BrokenServerTest, AMessageOfImpossibleLengthIsUnavailable) {
  for (const uint32_t length : {0U, 3U, 0xFFFFFFFFU}) {
    const MadeUpServer server({greeting(), copy_both() + "d" + big(length) + "content"});
    ReplicationConnection connection = connect(server);
    // libpq may notice while it reads the answer to this.
    const auto started = connection.start_streaming("", {}, 1, within_a_minute());
    const Result<StreamEvent> event =
        started.ok() ? connection.receive(within_a_minute()) : Result<StreamEvent>(started.error());
    EXPECT_TRUE(event.failed_with(ErrorCode::kUnavailable))
        << (event.ok() ? "an event" : event.error().message());
  }
}

TEST(BrokenServerTest, AStreamThatEndsWithoutAReasonIsCorrupted) {
  for (const std::string& rest : {rows({}, 2) + complete() + ready(),
                                  rows({{"x", "0/1"}}, 2) + complete() + ready(), ready()}) {
    // The end of the copy; what follows is sent when the client has ended it too.
    const MadeUpServer server({greeting(), copy_both() + message('c', ""), rest});
    ReplicationConnection connection = connect(server);
    ASSERT_TRUE(connection.start_streaming("", {}, 1, within_a_minute()).ok());
    const auto event = connection.receive(within_a_minute());
    EXPECT_TRUE(event.failed_with(ErrorCode::kCorrupted))
        << (event.ok() ? "an event" : event.error().message());
  }
}

// Not Cancelled, after which it would be asked for more.
TEST(BrokenServerTest, AStreamThatEndsAndSaysNoMoreIsUnavailable) {
  const MadeUpServer server({greeting(), copy_both() + message('c', "")},
                            MadeUpServer::End::kStaysSilent);
  ReplicationConnection connection =
      connect(server, {.silence_timeout = std::chrono::milliseconds(50)});
  ASSERT_TRUE(connection.start_streaming("", Lsn{0x1000000}, 1, within_a_minute()).ok());
  const auto event =
      connection.receive({.deadline = Deadline::after(std::chrono::milliseconds(10))});
  ASSERT_FALSE(event.ok());
  EXPECT_EQ(event.code(), ErrorCode::kUnavailable) << event.error().message();
}

TEST(BrokenServerTest, ASilentStreamIsAskedThenGivenUp) {
  const MadeUpServer server({greeting(), copy_both()}, MadeUpServer::End::kStaysSilent);
  ReplicationConnection connection =
      connect(server, {.silence_timeout = std::chrono::milliseconds(40)});
  ASSERT_TRUE(connection.start_streaming("", {}, 1, within_a_minute()).ok());
  const auto event = connection.receive(within_a_minute());
  ASSERT_TRUE(event.failed_with(ErrorCode::kUnavailable));
  EXPECT_THAT(event.error().message(), HasSubstr("silent for too long"));
}

// Takes whatever comes.
class NoSink : public BaseBackupSink {
 public:
  Result<> begin_backup(const BackupStart&) override { return {}; }
  Result<> begin_tablespace(const BackupTablespace&) override { return {}; }
  Result<> begin_entry(const TarEntry&) override { return {}; }
  Result<> content(ByteView) override { return {}; }
  Result<> end_entry() override { return {}; }
  void progress(uint64_t) override {}
};

TEST(BrokenServerTest, ABaseBackupOfNonsenseIsCorrupted) {
  const std::string start = rows({{"0/2000028", "1"}}, 2) + complete();
  const std::string list = rows({{"1", "/somewhere", "8"}}, 3) + complete();
  const std::string begin = start + list + copy_out();
  const std::string end = message('c', "") + rows({{"0/2000100", "1"}}, 2) + complete() + ready();
  const std::string archive = copied("n" + zero_ended("1.tar") + zero_ended("/somewhere"));
  const std::string zeros = copied("d" + std::string(1024, '\0'));
  for (const std::string& answer :
       {complete() + ready(), start + complete() + ready(), start + list + ready(),
        start + rows({{"1"}}, 1) + complete() + copy_out(), begin + copied("?"),
        begin + copied("n2.tar"), begin + copied("n" + zero_ended("2.tar") + zero_ended("")),
        begin + zeros, begin + archive + copied("dno tar"), begin + archive + archive,
        begin + archive + end, begin + archive + copied("p123"), begin + end,
        begin + archive + zeros + message('c', "") + complete() + ready()}) {
    const MadeUpServer server({greeting(), answer});
    ReplicationConnection connection = connect(server);
    NoSink sink;
    const auto result = take_base_backup(connection, {}, sink, within_a_minute());
    EXPECT_TRUE(result.failed_with(ErrorCode::kCorrupted) ||
                result.failed_with(ErrorCode::kUnavailable))
        << (result.ok() ? "ok" : result.error().message());
  }
  // Of the same parts a good one can be made.
  const MadeUpServer server({greeting(), begin + archive + zeros + end});
  ReplicationConnection connection = connect(server);
  NoSink sink;
  const auto result = take_base_backup(connection, {}, sink, within_a_minute());
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(result->stop, (Lsn{0x2000100}));
}

}  // namespace
}  // namespace varve
