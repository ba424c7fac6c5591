#include "follow/backup_spool.h"

#include <gmock/gmock.h>

#include <map>

#include "fs/directory.h"
#include "fs/temporary_directory.h"
#include "postgres/layout.h"
#include "replication/test_support/postgres_server.h"

namespace varve {
namespace {

namespace fs = std::filesystem;

class BackupSpoolTest : public testing::Test {
 protected:
  BackupSpoolTest() { fs::create_directory(target_); }

  void begin(const BackupStart& start) { expect_ok(spool_.begin_backup(start)); }
  void put(const TarEntry& entry, std::string_view content = {}) {
    expect_ok(spool_.begin_entry(entry));
    if (!content.empty()) expect_ok(spool_.content(as_bytes(content)));
    expect_ok(spool_.end_entry());
  }
  static void expect_ok(const Result<>& result) {
    EXPECT_TRUE(result.ok()) << result.error().message();
  }
  std::string content_of(const fs::path& path) const {
    const auto content = read_file(target_ / path);
    return content.ok() ? std::string(as_text(*content)) : content.error().message();
  }

  const TemporaryDirectory folder_ = *TemporaryDirectory::create("varve-test-");
  const fs::path target_ = folder_ / "spool";
  std::vector<std::pair<uint64_t, uint64_t>> progress_;
  BackupSpool spool_{
      target_, [this](uint64_t done, uint64_t total) { progress_.emplace_back(done, total); }};
  const BackupTablespace main_{.size_bytes = 1000};
  const BackupTablespace fast_{.oid = 16384, .location = "/fast", .size_bytes = 500};
};

TEST_F(BackupSpoolTest, TablespacesBecomeDirectoriesOfTheDataDirectory) {
  begin({.start = Lsn{0x2000028}, .tablespaces = {fast_, main_}});
  expect_ok(spool_.begin_tablespace(fast_));
  const std::string version(kTablespaceVersionDirectory);
  put({.type = TarEntry::Type::kDirectory, .path = version + "/5"});
  put({.path = version + "/5/16385", .mode = 0600, .size = 4}, "rows");
  expect_ok(spool_.begin_tablespace(main_));
  put({.path = "PG_VERSION", .mode = 0600, .size = 3}, "15\n");
  put({.type = TarEntry::Type::kDirectory, .path = "base/1"});
  put({.path = "base/1/2840", .mode = 0600});
  put({.type = TarEntry::Type::kSymbolicLink, .path = "pg_tblspc/16384", .link_target = "/fast"});
  EXPECT_EQ(content_of("PG_VERSION"), "15\n");
  EXPECT_EQ(content_of("base/1/2840"), "");
  EXPECT_EQ(content_of("pg_tblspc/16384/" + version + "/5/16385"), "rows");
  EXPECT_FALSE(fs::is_symlink(target_ / "pg_tblspc/16384"));

  const BaseBackupFacts facts = spool_.facts(0750);
  EXPECT_EQ(facts.start, Lsn{0x2000028});
  EXPECT_EQ(facts.mode, 0750);
  EXPECT_EQ(facts.tablespaces, (std::map<uint32_t, std::string>{{16384, "/fast"}}));
}

// An import wants a directory there.
TEST_F(BackupSpoolTest, ATablespaceOfWhichNothingComesIsThere) {
  begin({.tablespaces = {fast_, main_}});
  EXPECT_TRUE(
      fs::is_directory(target_ / "pg_tblspc/16384" / std::string(kTablespaceVersionDirectory)));
}

TEST_F(BackupSpoolTest, AFileThatComesTwiceIsRefused) {
  begin({.tablespaces = {main_}});
  expect_ok(spool_.begin_tablespace(main_));
  put({.path = "PG_VERSION", .mode = 0600, .size = 3}, "15\n");
  EXPECT_FALSE(spool_.begin_entry({.path = "PG_VERSION", .mode = 0600, .size = 3}).ok());
  EXPECT_EQ(content_of("PG_VERSION"), "15\n");
}

// A server that is not sane may send a link, and then a file behind it.
TEST_F(BackupSpoolTest, NoLinkLeadsOutside) {
  begin({.tablespaces = {main_}});
  expect_ok(spool_.begin_tablespace(main_));
  const fs::path outside = folder_ / "outside";
  fs::create_directory(outside);
  put({.type = TarEntry::Type::kSymbolicLink, .path = "base", .link_target = outside.string()});
  (void)spool_.begin_entry({.path = "base/planted", .mode = 0600, .size = 1});
  put({.type = TarEntry::Type::kDirectory, .path = "base"});
  put({.path = "base/planted", .mode = 0600, .size = 1}, "x");
  EXPECT_TRUE(fs::is_empty(outside));
  EXPECT_EQ(content_of("base/planted"), "x");
}

TEST_F(BackupSpoolTest, TheEstimateGrowsWithWhatCame) {
  begin({.tablespaces = {main_, fast_}});
  spool_.progress(700);
  spool_.progress(1600);
  EXPECT_THAT(progress_, testing::ElementsAre(std::pair(700, 1500), std::pair(1600, 1600)));
}

TEST_F(BackupSpoolTest, TakesTheBaseBackupOfAServerWithATablespace) {
  PostgresServer server;
  server.start();
  const fs::path elsewhere = server.folder() / "elsewhere";
  fs::create_directory(elsewhere);
  give_to_postgres(elsewhere);
  SqlConnection sql = server.sql();
  sql.run(fmt::format("CREATE TABLESPACE elsewhere LOCATION '{}'", elsewhere.string()));
  sql.run("CREATE TABLE outside TABLESPACE elsewhere AS SELECT generate_series(1, 1000)");
  sql.run("CHECKPOINT");
  const std::string oid = sql.run("SELECT oid FROM pg_tablespace WHERE spcname = 'elsewhere'");
  const std::string file = sql.run("SELECT pg_relation_filepath('outside')");
  const CallOptions call{.deadline = Deadline::after(std::chrono::minutes(1))};
  auto connection = ReplicationConnection::connect(server.connection_string(), call);
  ASSERT_TRUE(connection.ok()) << connection.error().message();
  const auto end = take_base_backup(*connection, {}, spool_, call);
  ASSERT_TRUE(end.ok()) << end.error().message();
  EXPECT_GT(end->stop, spool_.start().start);
  EXPECT_EQ(*read_file(target_ / file), *read_file(server.data() / file));
  EXPECT_EQ(spool_.facts(0700).tablespaces,
            (std::map<uint32_t, std::string>{
                {static_cast<uint32_t>(std::stoul(oid)), elsewhere.string()}}));
  ASSERT_FALSE(progress_.empty());
  EXPECT_LE(progress_.back().first, progress_.back().second);
  const auto opened = DataDirectory::open_backup(target_, spool_.facts(0700));
  EXPECT_TRUE(opened.ok()) << opened.error().message();
}

}  // namespace
}  // namespace varve
