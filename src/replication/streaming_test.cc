#include <gmock/gmock.h>

#include "fs/directory.h"
#include "postgres/wal_segment.h"
#include "replication/replication_connection.h"
#include "replication/test_support/postgres_server.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr uint32_t kSegmentSize = 1 << 20;

CallOptions within_a_minute() {
  return {.deadline = Deadline::after(std::chrono::minutes(1))};
}

// A server of its own for each test.
class StreamingTest : public testing::Test {
 protected:
  void SetUp() override { server_.start(); }

  ReplicationConnection connect(const ReplicationOptions& options = {}) {
    auto connection =
        ReplicationConnection::connect(server_.connection_string(), within_a_minute(), options);
    EXPECT_TRUE(connection.ok()) << connection.error().message();
    return std::move(*connection);
  }

  // The start of the segment that the server writes now.
  static Lsn segment_start(Lsn lsn) { return {lsn.value - lsn.value % kSegmentSize}; }

  void write_wal(int segments) {
    SqlConnection sql = server_.sql();
    sql.run("CREATE TABLE IF NOT EXISTS filler (text text)");
    for (int i = 0; i < segments; ++i) {
      sql.run("INSERT INTO filler SELECT repeat('varve', 100) FROM generate_series(1, 2000)");
    }
    sql.run("SELECT pg_switch_wal()");
  }

  // All WAL up to `end`.
  static Bytes receive_until(ReplicationConnection& connection, Lsn end) {
    Bytes received;
    while (true) {
      const auto event = connection.receive(within_a_minute());
      if (!event.ok()) {
        ADD_FAILURE() << event.error().message();
        return received;
      }
      const auto* const data = std::get_if<WalData>(&*event);
      if (data == nullptr) continue;
      received.insert(received.end(), data->bytes.begin(), data->bytes.end());
      if (data->end() >= end) return received;
    }
  }

  PostgresServer server_;
};

TEST_F(StreamingTest, GivesTheBytesOfTheServersOwnSegmentFiles) {
  ReplicationConnection connection = connect();
  const auto identity = connection.identify_system(within_a_minute());
  ASSERT_TRUE(identity.ok()) << identity.error().message();
  const Lsn start = segment_start(identity->flushed);
  ASSERT_TRUE(connection.create_slot("varve", {}, within_a_minute()).ok());
  write_wal(3);
  const auto started =
      connection.start_streaming("varve", start, identity->timeline, within_a_minute());
  ASSERT_TRUE(started.ok()) << started.error().message();
  constexpr int kSegments = 3;
  const Bytes received = receive_until(connection, {start.value + kSegments * kSegmentSize});
  ASSERT_GE(received.size(), kSegments * kSegmentSize);
  for (int i = 0; i < kSegments; ++i) {
    const Lsn at{start.value + static_cast<uint64_t>(i) * kSegmentSize};
    const auto file = read_file(server_.data() / "pg_wal" /
                                wal_segment_name(identity->timeline, at, kSegmentSize));
    ASSERT_TRUE(file.ok()) << file.error().message();
    const auto from = received.begin() + i * kSegmentSize;
    EXPECT_TRUE(std::equal(file->begin(), file->end(), from, from + kSegmentSize))
        << at.to_string();
  }
}

// From the flush LSN on, which is somewhere within a segment.
TEST_F(StreamingTest, StartsAnywhereAndTellsHowFarTheServerIs) {
  ReplicationConnection connection = connect();
  const SystemIdentity identity = *connection.identify_system(within_a_minute());
  write_wal(1);
  ASSERT_TRUE(
      connection.start_streaming("", identity.flushed, identity.timeline, within_a_minute()).ok());
  const auto event = connection.receive(within_a_minute());
  ASSERT_TRUE(event.ok()) << event.error().message();
  const WalData& data = std::get<WalData>(*event);
  EXPECT_EQ(data.start, identity.flushed);
  EXPECT_GE(data.server_end, data.end());
  const auto age = std::chrono::microseconds(system_clock().now().micros - data.server_time.micros);
  EXPECT_LT(std::chrono::abs(age), std::chrono::minutes(10));
}

TEST_F(StreamingTest, FeedbackShowsInTheServersViewsAndMovesTheSlot) {
  ReplicationConnection connection = connect();
  const SystemIdentity identity = *connection.identify_system(within_a_minute());
  ASSERT_TRUE(connection.create_slot("varve", {}, within_a_minute()).ok());
  write_wal(1);
  const Lsn start = segment_start(identity.flushed);
  const Lsn middle{start.value + 0x10000};
  ASSERT_TRUE(
      connection.start_streaming("varve", start, identity.timeline, within_a_minute()).ok());
  receive_until(connection, {start.value + kSegmentSize});
  const auto feed_back = [&](const Feedback& feedback) {
    ASSERT_TRUE(connection.send_feedback(feedback).ok());
    // The answer comes after the server has taken note.
    while (true) {
      const auto event = connection.receive(within_a_minute());
      ASSERT_TRUE(event.ok()) << event.error().message();
      if (std::holds_alternative<Keepalive>(*event)) return;
    }
  };
  // 0: nothing is confirmed, and the slot stays.
  SqlConnection sql = server_.sql();
  const std::string slot_before = sql.run("SELECT restart_lsn FROM pg_replication_slots");
  feed_back({.written = {start.value + kSegmentSize}, .reply_requested = true});
  EXPECT_EQ(sql.run("SELECT restart_lsn FROM pg_replication_slots"), slot_before);
  feed_back({.written = {start.value + kSegmentSize},
             .flushed = middle,
             .applied = {middle.value - 8},
             .reply_requested = true});
  EXPECT_EQ(sql.run("SELECT application_name FROM pg_stat_replication"), "varve");
  EXPECT_EQ(sql.run("SELECT write_lsn FROM pg_stat_replication"),
            Lsn{start.value + kSegmentSize}.to_string());
  EXPECT_EQ(sql.run("SELECT flush_lsn FROM pg_stat_replication"), middle.to_string());
  EXPECT_EQ(sql.run("SELECT replay_lsn FROM pg_stat_replication"),
            Lsn{middle.value - 8}.to_string());
  EXPECT_EQ(sql.run("SELECT restart_lsn FROM pg_replication_slots"), middle.to_string());
  // The server would move the slot back.
  EXPECT_TRUE(
      connection.send_feedback({.flushed = start}).failed_with(ErrorCode::kInvalidArgument));
}

TEST_F(StreamingTest, WalThatIsNoLongerThereIsNotFound) {
  server_.configure("wal_keep_size = 0");
  server_.end(SIGINT);
  server_.start();
  ReplicationConnection connection = connect();
  const SystemIdentity identity = *connection.identify_system(within_a_minute());
  write_wal(4);
  server_.sql().run("CHECKPOINT");
  server_.sql().run("CHECKPOINT");
  ASSERT_TRUE(connection
                  .start_streaming("", segment_start(identity.flushed), identity.timeline,
                                   within_a_minute())
                  .ok());
  const auto event = connection.receive(within_a_minute());
  ASSERT_TRUE(event.failed_with(ErrorCode::kNotFound))
      << (event.ok() ? "an event" : event.error().message());
  EXPECT_THAT(event.error().message(),
              AllOf(HasSubstr("has already been removed"), HasSubstr("base backup")));
}

TEST_F(StreamingTest, RefusesWhatLiesAheadOfTheServerAndASlotThatIsNotThere) {
  ReplicationConnection connection = connect();
  const SystemIdentity identity = *connection.identify_system(within_a_minute());
  ASSERT_TRUE(connection
                  .start_streaming("", {identity.flushed.value + (1ULL << 30)}, identity.timeline,
                                   within_a_minute())
                  .ok());
  const auto ahead = connection.receive(within_a_minute());
  ASSERT_TRUE(ahead.failed_with(ErrorCode::kInvalidArgument)) << ahead.error().message();
  EXPECT_THAT(ahead.error().message(),
              AllOf(HasSubstr("ahead of the WAL flush position"), HasSubstr("another history")));
  const auto absent =
      connection.start_streaming("no_such", identity.flushed, identity.timeline, within_a_minute());
  ASSERT_TRUE(absent.failed_with(ErrorCode::kInvalidArgument));
  EXPECT_THAT(absent.error().message(),
              AllOf(HasSubstr("\"no_such\" does not exist"), HasSubstr("create the slot")));
  // Neither was the end of the connection.
  EXPECT_TRUE(connection.identify_system(within_a_minute()).ok());
}

TEST_F(StreamingTest, ASlotThatAnotherStreamsFromIsAConflict) {
  ReplicationConnection one = connect();
  ReplicationConnection other = connect();
  const SystemIdentity identity = *one.identify_system(within_a_minute());
  ASSERT_TRUE(one.create_slot("varve", {}, within_a_minute()).ok());
  ASSERT_TRUE(
      one.start_streaming("varve", identity.flushed, identity.timeline, within_a_minute()).ok());
  EXPECT_TRUE(other.start_streaming("varve", identity.flushed, identity.timeline, within_a_minute())
                  .failed_with(ErrorCode::kConflict));
  EXPECT_TRUE(other.drop_slot("varve", within_a_minute()).failed_with(ErrorCode::kConflict));
}

TEST_F(StreamingTest, AServerThatIsKilledIsUnavailable) {
  ReplicationConnection connection = connect();
  const SystemIdentity identity = *connection.identify_system(within_a_minute());
  ASSERT_TRUE(
      connection.start_streaming("", identity.flushed, identity.timeline, within_a_minute()).ok());
  server_.signal(SIGQUIT);
  Result<StreamEvent> event = Keepalive{};
  while (event.ok()) event = connection.receive(within_a_minute());
  EXPECT_EQ(event.code(), ErrorCode::kUnavailable) << event.error().message();
  // And stays so.
  EXPECT_FALSE(connection.receive(within_a_minute()).ok());
  EXPECT_TRUE(connection.identify_system(within_a_minute()).failed_with(ErrorCode::kUnavailable));
}

TEST_F(StreamingTest, AServerThatShutsDownSendsTheRestAndSaysSo) {
  ReplicationConnection connection = connect();
  const SystemIdentity identity = *connection.identify_system(within_a_minute());
  ASSERT_TRUE(
      connection.start_streaming("", identity.flushed, identity.timeline, within_a_minute()).ok());
  write_wal(1);
  server_.signal(SIGINT);
  while (true) {
    const auto event = connection.receive(within_a_minute());
    ASSERT_TRUE(event.ok()) << event.error().message();
    if (std::holds_alternative<ServerShutDown>(*event)) break;
    // It waits until everything is confirmed, its last checkpoint included.
    const auto* const data = std::get_if<WalData>(&*event);
    const auto* const keepalive = std::get_if<Keepalive>(&*event);
    const Lsn end = data != nullptr ? data->end() : keepalive->server_end;
    ASSERT_TRUE(connection.send_feedback({.written = end, .flushed = end, .applied = end}).ok());
  }
}

// As a standby is, whose own primary is gone.
TEST_F(StreamingTest, APromotionEndsTheTimelineWhereTheNextBegins) {
  server_.end(SIGINT);
  std::ofstream(server_.data() / "standby.signal") << "";
  server_.start();
  ReplicationConnection connection = connect();
  const SystemIdentity identity = *connection.identify_system(within_a_minute());
  ASSERT_EQ(identity.timeline, 1);
  const Lsn start = segment_start(identity.flushed);
  ASSERT_TRUE(connection.start_streaming("", start, 1, within_a_minute()).ok());
  server_.sql().run("SELECT pg_promote()");
  std::optional<TimelineEnded> ended;
  while (!ended) {
    const auto event = connection.receive(within_a_minute());
    ASSERT_TRUE(event.ok()) << event.error().message();
    if (const auto* const found = std::get_if<TimelineEnded>(&*event)) ended = *found;
  }
  EXPECT_EQ(ended->next_timeline, 2);
  EXPECT_GE(ended->switch_point, identity.flushed);
  // The same connection goes on with the next one.
  ASSERT_TRUE(connection.start_streaming("", ended->switch_point, 2, within_a_minute()).ok());
  const auto next = connection.receive(within_a_minute());
  ASSERT_TRUE(next.ok()) << next.error().message();
  // And a stream of the old one from its end on has nothing to give.
  ReplicationConnection late = connect();
  ASSERT_TRUE(late.start_streaming("", ended->switch_point, 1, within_a_minute()).ok());
  const auto at_once = late.receive(within_a_minute());
  ASSERT_TRUE(at_once.ok()) << at_once.error().message();
  EXPECT_EQ(std::get<TimelineEnded>(*at_once).switch_point, ended->switch_point);
  EXPECT_TRUE(late.identify_system(within_a_minute()).ok());
}

TEST_F(StreamingTest, AStopEndsTheWaitAndLeavesTheStream) {
  ReplicationConnection connection = connect();
  const SystemIdentity identity = *connection.identify_system(within_a_minute());
  ASSERT_TRUE(
      connection.start_streaming("", identity.flushed, identity.timeline, within_a_minute()).ok());
  std::stop_source stop;
  std::jthread stopper;
  Result<StreamEvent> event = Keepalive{};
  while (event.ok()) {
    // What there is comes first; then it waits.
    if (!stopper.joinable()) stopper = std::jthread([&] { stop.request_stop(); });
    event = connection.receive(
        {.deadline = Deadline::after(std::chrono::minutes(1)), .stop = stop.get_token()});
  }
  ASSERT_EQ(event.code(), ErrorCode::kCancelled);
  EXPECT_THAT(event.error().message(), HasSubstr("stopped on request"));
  write_wal(1);
  EXPECT_FALSE(receive_until(connection, {identity.flushed.value + 1}).empty());
}

TEST_F(StreamingTest, ADeadlineEndsTheWaitAndLeavesTheStream) {
  ReplicationConnection connection = connect();
  const SystemIdentity identity = *connection.identify_system(within_a_minute());
  ASSERT_TRUE(
      connection.start_streaming("", identity.flushed, identity.timeline, within_a_minute()).ok());
  Result<StreamEvent> event = Keepalive{};
  while (event.ok()) {
    event = connection.receive({.deadline = Deadline::after(std::chrono::milliseconds(20))});
  }
  ASSERT_EQ(event.code(), ErrorCode::kCancelled);
  write_wal(1);
  EXPECT_FALSE(receive_until(connection, {identity.flushed.value + 1}).empty());
}

// The server, asked for a sign of life, gives one, so that a quiet stream goes on.
TEST_F(StreamingTest, AQuietServerIsAskedForASignOfLife) {
  ReplicationConnection connection = connect({.silence_timeout = std::chrono::milliseconds(200)});
  const SystemIdentity identity = *connection.identify_system(within_a_minute());
  ASSERT_TRUE(
      connection.start_streaming("", identity.flushed, identity.timeline, within_a_minute()).ok());
  int keepalives = 0;
  while (keepalives < 3) {
    const auto event = connection.receive(within_a_minute());
    ASSERT_TRUE(event.ok()) << event.error().message();
    if (std::holds_alternative<Keepalive>(*event)) ++keepalives;
  }
}

TEST_F(StreamingTest, AServerThatIsStoppedIsUnavailableAfterTheSilence) {
  ReplicationConnection connection = connect({.silence_timeout = std::chrono::milliseconds(100)});
  const SystemIdentity identity = *connection.identify_system(within_a_minute());
  const pid_t sender = std::stoi(server_.sql().run("SELECT pid FROM pg_stat_replication"));
  ASSERT_TRUE(
      connection.start_streaming("", identity.flushed, identity.timeline, within_a_minute()).ok());
  ASSERT_EQ(::kill(sender, SIGSTOP), 0);
  Result<StreamEvent> event = Keepalive{};
  while (event.ok()) event = connection.receive(within_a_minute());
  ::kill(sender, SIGCONT);
  EXPECT_EQ(event.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(event.error().message(), HasSubstr("silent for too long"));
}

}  // namespace
}  // namespace varve
