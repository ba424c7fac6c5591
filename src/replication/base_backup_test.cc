#include "replication/base_backup.h"

#include <gmock/gmock.h>

#include <atomic>
#include <map>

#include "fs/directory.h"
#include "postgres/wal_segment.h"
#include "replication/test_support/postgres_server.h"

namespace varve {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kSegmentSize = 1 << 20;

CallOptions within_a_minute() {
  return {.deadline = Deadline::after(std::chrono::minutes(1))};
}

// Writes what comes as files: the data directory to `data`, tablespaces beside it by their OIDs.
class DirectorySink : public BaseBackupSink {
 public:
  explicit DirectorySink(fs::path folder) : folder_(std::move(folder)) {}

  Result<> begin_backup(const BackupStart& start) override {
    start_ = start;
    return {};
  }
  Result<> begin_tablespace(const BackupTablespace& tablespace) override {
    root_ = folder_ / (tablespace.oid ? std::to_string(*tablespace.oid) : "data");
    fs::create_directory(root_);
    return {};
  }
  Result<> begin_entry(const TarEntry& entry) override {
    const fs::path path = root_ / entry.path;
    switch (entry.type) {
      case TarEntry::Type::kDirectory:
        fs::create_directory(path);
        break;
      case TarEntry::Type::kSymbolicLink:
        links_[entry.path] = entry.link_target;
        break;
      case TarEntry::Type::kFile:
        file_.open(path, std::ios::binary);
        expected_ = entry.size;
        EXPECT_EQ(entry.mode & 0777, 0600) << path;
        break;
    }
    return {};
  }
  Result<> content(ByteView bytes) override {
    file_.write(as_text(bytes).data(), static_cast<std::streamsize>(bytes.size()));
    received_ += bytes.size();
    return {};
  }
  Result<> end_entry() override {
    if (file_.is_open()) {
      EXPECT_EQ(static_cast<uint64_t>(file_.tellp()), expected_);
      file_.close();
    }
    return {};
  }
  void progress(uint64_t bytes) override {
    EXPECT_GE(bytes, progress_);
    progress_ = bytes;
  }

  BackupStart start_;
  std::map<std::string, std::string> links_;
  uint64_t received_ = 0;
  uint64_t progress_ = 0;

 private:
  fs::path folder_;
  fs::path root_;
  std::ofstream file_;
  uint64_t expected_ = 0;
};

// The regular files below `folder`, by their paths relative to it.
std::map<std::string, Bytes> files_of(const fs::path& folder) {
  std::map<std::string, Bytes> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && !entry.is_symlink()) {
      files[entry.path().lexically_relative(folder)] = *read_file(entry.path());
    }
  }
  return files;
}

// Neither are they part of a backup (basebackup.c), nor are those that it adds.
bool is_of_running_server(const std::string& path) {
  for (const std::string_view prefix :
       {"pg_wal/", "pg_replslot/", "pg_stat_tmp/", "pg_dynshmem/", "pg_notify/", "pg_serial/",
        "pg_snapshots/", "pg_subtrans/", "postmaster.", "backup_label", "tablespace_map"}) {
    if (path.starts_with(prefix)) return true;
  }
  return path.ends_with("pg_internal.init");
}

class BaseBackupTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::chmod(target_.path().c_str(), 0755), 0);
    server_.start();
  }

  ReplicationConnection connect() {
    auto connection =
        ReplicationConnection::connect(server_.connection_string(), within_a_minute());
    EXPECT_TRUE(connection.ok()) << connection.error().message();
    return std::move(*connection);
  }

  PostgresServer server_;
  TemporaryDirectory target_ = *TemporaryDirectory::create("varve-test-");
  DirectorySink sink_{target_.path()};
};

TEST_F(BaseBackupTest, OfAQuietClusterIsByteForByteItsFiles) {
  const fs::path elsewhere = server_.folder() / "elsewhere";
  fs::create_directory(elsewhere);
  give_to_postgres(elsewhere);
  SqlConnection sql = server_.sql();
  sql.run(fmt::format("CREATE TABLESPACE elsewhere LOCATION '{}'", elsewhere.string()));
  sql.run("CREATE TABLE outside TABLESPACE elsewhere AS SELECT generate_series(1, 10000)");
  sql.run("CREATE TABLE inside AS SELECT generate_series(1, 10000)");
  sql.run("CHECKPOINT");
  const std::string oid = sql.run("SELECT oid FROM pg_tablespace WHERE spcname = 'elsewhere'");
  ReplicationConnection connection = connect();
  const auto end = take_base_backup(connection, {}, sink_, within_a_minute());
  ASSERT_TRUE(end.ok()) << end.error().message();
  EXPECT_GT(end->stop, sink_.start_.start);
  EXPECT_EQ(end->timeline, 1);
  EXPECT_EQ(sink_.start_.timeline, 1);
  ASSERT_EQ(sink_.start_.tablespaces.size(), 2);
  EXPECT_EQ(sink_.links_,
            (std::map<std::string, std::string>{{"pg_tblspc/" + oid, elsewhere.string()}}));

  for (const auto& [copied, original] :
       {std::pair(target_ / "data", server_.data()), std::pair(target_ / oid, elsewhere)}) {
    auto backup = files_of(copied);
    auto files = files_of(original);
    EXPECT_EQ(backup.contains("backup_label"), copied.filename() == "data");
    std::erase_if(backup, [](const auto& file) { return is_of_running_server(file.first); });
    std::erase_if(files, [](const auto& file) { return is_of_running_server(file.first); });
    ASSERT_FALSE(files.empty());
    for (const auto& [path, content] : files) {
      EXPECT_TRUE(backup.contains(path) && backup[path] == content) << path;
      backup.erase(path);
    }
    for (const auto& [path, content] : backup) ADD_FAILURE() << path << " is in the backup alone";
  }
  // An estimate of the data, without the headers of the tar.
  EXPECT_GT(sink_.start_.estimated_bytes(), sink_.received_ / 2);
  EXPECT_LT(sink_.start_.estimated_bytes(), sink_.received_ * 2);
  EXPECT_GE(sink_.progress_, sink_.received_);
  // The connection goes on.
  EXPECT_TRUE(connection.identify_system(within_a_minute()).ok());
}

// With the WAL that was streamed meanwhile.
TEST_F(BaseBackupTest, OfAClusterThatIsWrittenToStartsAndHasWhatWasCommitted) {
  server_.sql().run("CREATE TABLE rows (number int PRIMARY KEY, filler text)");
  ReplicationConnection stream = connect();
  ASSERT_TRUE(stream.create_slot("varve", {}, within_a_minute()).ok());
  std::atomic<int> written = 0;
  std::jthread writer([&](const std::stop_token& stop) {
    SqlConnection sql = server_.sql();
    while (!stop.stop_requested()) {
      sql.run(fmt::format("INSERT INTO rows VALUES ({}, repeat('x', 500))", written + 1));
      ++written;
      written.notify_all();
    }
  });
  written.wait(0);
  const int written_at_start = written;
  ReplicationConnection connection = connect();
  const auto end = take_base_backup(connection, {}, sink_, within_a_minute());
  ASSERT_TRUE(end.ok()) << end.error().message();
  writer.request_stop();
  writer.join();

  // Some more than up to the stop LSN, so that its last segment is whole.
  server_.sql().run("SELECT pg_switch_wal()");
  const Lsn start{sink_.start_.start.value - sink_.start_.start.value % kSegmentSize};
  const Lsn until{(end->stop.value / kSegmentSize + 1) * kSegmentSize};
  ASSERT_TRUE(
      stream.start_streaming("varve", start, sink_.start_.timeline, within_a_minute()).ok());
  Bytes wal;
  while (wal.size() < until.value - start.value) {
    const auto event = stream.receive(within_a_minute());
    ASSERT_TRUE(event.ok()) << event.error().message();
    if (const auto* const data = std::get_if<WalData>(&*event)) {
      wal.insert(wal.end(), data->bytes.begin(), data->bytes.end());
    }
  }
  for (uint64_t at = start.value; at < until.value; at += kSegmentSize) {
    std::ofstream file(target_ / "data/pg_wal" / wal_segment_name(1, {at}, kSegmentSize),
                       std::ios::binary);
    file.write(reinterpret_cast<const char*>(wal.data() + (at - start.value)), kSegmentSize);
  }
  PostgresServer restored(target_ / "data");
  restored.start();
  const int found = std::stoi(restored.sql().run("SELECT count(*) FROM rows"));
  // The backup ends after its last page was copied; what is committed later may be there too.
  EXPECT_GE(found, written_at_start);
  EXPECT_EQ(std::to_string(found), restored.sql().run("SELECT max(number) FROM rows"));
}

// A sink that has had enough.
TEST_F(BaseBackupTest, AnErrorOfTheSinkEndsIt) {
  class Full : public DirectorySink {
   public:
    using DirectorySink::DirectorySink;
    Result<> content(ByteView) override { return make_error(ErrorCode::kExhausted, "full"); }
  };
  Full sink(target_.path());
  ReplicationConnection connection = connect();
  const auto end = take_base_backup(connection, {.label = "it's one"}, sink, within_a_minute());
  ASSERT_TRUE(end.failed_with(ErrorCode::kExhausted)) << end.error().message();
  EXPECT_TRUE(connection.identify_system(within_a_minute()).failed_with(ErrorCode::kUnavailable));
}

TEST_F(BaseBackupTest, AStopEndsIt) {
  std::stop_source stop;
  class Stopping : public DirectorySink {
   public:
    Stopping(fs::path folder, std::stop_source& source)
        : DirectorySink(std::move(folder)), source_(source) {}
    Result<> content(ByteView bytes) override {
      source_.request_stop();
      return DirectorySink::content(bytes);
    }

   private:
    std::stop_source& source_;
  };
  Stopping sink(target_.path(), stop);
  ReplicationConnection connection = connect();
  const auto end = take_base_backup(connection, {}, sink, {.stop = stop.get_token()});
  EXPECT_TRUE(end.failed_with(ErrorCode::kCancelled));
}

TEST_F(BaseBackupTest, AServerThatIsKilledIsUnavailable) {
  class Killing : public DirectorySink {
   public:
    Killing(fs::path folder, PostgresServer& server)
        : DirectorySink(std::move(folder)), server_(server) {}
    Result<> begin_tablespace(const BackupTablespace& tablespace) override {
      server_.end(SIGQUIT);
      return DirectorySink::begin_tablespace(tablespace);
    }

   private:
    PostgresServer& server_;
  };
  server_.sql().run("CREATE TABLE large AS SELECT repeat('x', 7000) FROM generate_series(1, 3000)");
  Killing sink(target_.path(), server_);
  ReplicationConnection connection = connect();
  const auto end = take_base_backup(connection, {}, sink, within_a_minute());
  EXPECT_TRUE(end.failed_with(ErrorCode::kUnavailable)) << (end.ok() ? "" : end.error().message());
}

}  // namespace
}  // namespace varve
