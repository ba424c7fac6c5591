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

// One server for tests that only read, or that leave nothing behind that others would notice.
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

}  // namespace
}  // namespace varve
