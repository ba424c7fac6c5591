// From a cluster that a real PostgreSQL 15 wrote, through the key space, to one that it starts on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "ingest/export.h"
#include "ingest/import.h"
#include "ingest/test_support/memory_versions.h"
#include "ingest/test_support/postgres_cluster.h"
#include "postgres/relation_file_name.h"

namespace varve {
namespace {

namespace filesystem = std::filesystem;
using testing::HasSubstr;
using testing::Not;

struct ClusterKind {
  const char* name;
  std::vector<std::string> initdb_options;
};

// A stopped cluster with something in it of everything that has files of its own. Tests only read
// it.
class SourceCluster {
 public:
  explicit SourceCluster(const ClusterKind& kind) {
    ready_ = cluster_.initialise(kind.initdb_options) && configure() && cluster_.start() &&
             fill() && cluster_.stop();
  }

  bool ready() const { return ready_; }
  const filesystem::path& data() const { return cluster_.data(); }
  filesystem::path tablespace() const { return space_ / "tablespace"; }

 private:
  bool configure() {
    cluster_.configure(
        "fsync = off\n"
        "max_prepared_transactions = 5\n"
        "track_commit_timestamp = on\n"
        "wal_level = logical\n"
        "archive_mode = on\n"
        "archive_command = 'false'\n"
        "hba_file = '" +
        (data() / "pg_hba.conf").string() + "'\n");
    return space_.make_directory("tablespace");
  }

  bool fill() {
    cluster_.ask("postgres",
                 {"CREATE DATABASE shop", "CREATE DATABASE gone", "DROP DATABASE gone"});
    cluster_.ask("postgres", {"CREATE TABLESPACE fast LOCATION '" + tablespace().string() + "'"});
    cluster_.ask("postgres", {"CREATE DATABASE moved TABLESPACE fast STRATEGY file_copy"});
    cluster_.ask("moved", {"CREATE TABLE in_moved AS SELECT 42 AS answer"});
    cluster_.ask(
        "shop",
        {"CREATE TABLE orders (id int PRIMARY KEY, note text)",
         "INSERT INTO orders SELECT i, repeat('note ' || i, 20) FROM generate_series(1, 20000) i",
         "DELETE FROM orders WHERE id % 7 = 0",
         "VACUUM ANALYZE orders",
         "CREATE INDEX ON orders USING hash (note)",
         "CREATE INDEX ON orders USING brin (id)",
         "CREATE TABLE empty (a int)",
         "CREATE TABLE truncated AS SELECT 1 AS a",
         "TRUNCATE truncated",
         "CREATE TABLE big_values (v text)",
         "ALTER TABLE big_values ALTER v SET STORAGE external",
         "INSERT INTO big_values SELECT repeat('v', 100000)",
         "CREATE UNLOGGED TABLE scratch (a int PRIMARY KEY)",
         "INSERT INTO scratch SELECT generate_series(1, 5000)",
         "CREATE SEQUENCE numbers",
         "SELECT nextval('numbers') FROM generate_series(1, 10)",
         "CREATE TABLE fast_table (a int) TABLESPACE fast",
         "INSERT INTO fast_table VALUES (7)",
         "SELECT lo_from_bytea(12345, repeat('large', 3000)::bytea)",
         "VACUUM FULL pg_class",
         "BEGIN; SELECT * FROM orders WHERE id = 1 FOR SHARE; SAVEPOINT s; "
         "UPDATE orders SET note = 'shared' WHERE id = 1; COMMIT",
         "BEGIN; INSERT INTO orders VALUES (-1, 'prepared'); PREPARE TRANSACTION 'pending'"});
    return !testing::Test::HasFailure();
  }

  ClusterSpace space_;
  PostgresCluster cluster_{space_, "source"};
  bool ready_ = false;
};

class RoundTrip : public testing::TestWithParam<ClusterKind> {
 protected:
  void SetUp() override {
    auto& source = sources()[GetParam().name];
    if (!source) source = std::make_unique<SourceCluster>(GetParam());
    ASSERT_TRUE(source->ready());
    source_ = source.get();
  }

  static void TearDownTestSuite() { sources().clear(); }

  // Making a cluster takes seconds, so the tests of one process share one of each kind.
  static std::map<std::string, std::unique_ptr<SourceCluster>>& sources() {
    static std::map<std::string, std::unique_ptr<SourceCluster>> made;
    return made;
  }

  Result<ImportSummary> import(const filesystem::path& from) {
    VARVE_ASSIGN(const DataDirectory data, DataDirectory::open(from));
    store_ = {};
    return import_data_directory(data, store_);
  }

  void expect_starts_with_all_data(PostgresCluster& cluster) {
    ASSERT_TRUE(cluster.start());
    EXPECT_THAT(cluster.log(), HasSubstr("database system was shut down at"));
    EXPECT_THAT(cluster.log(), Not(HasSubstr("recovery")));
    EXPECT_THAT(cluster.log(), Not(HasSubstr("redo")));

    EXPECT_EQ(cluster.ask("shop", {"SELECT count(*), sum(id) FROM orders"}), "17143|171431429");
    EXPECT_EQ(cluster.ask("shop", {"SELECT note FROM orders WHERE id = 1"}), "shared");
    EXPECT_EQ(cluster.ask("shop", {"SELECT length(v) FROM big_values"}), "100000");
    EXPECT_EQ(cluster.ask("shop", {"SELECT count(*) FROM scratch"}), "0")
        << "an unlogged table starts empty";
    EXPECT_EQ(cluster.ask("shop", {"INSERT INTO scratch VALUES (1) RETURNING a"}), "1");
    EXPECT_EQ(cluster.ask("shop", {"SELECT nextval('numbers')"}), "11");
    EXPECT_EQ(cluster.ask("shop", {"SELECT a FROM fast_table"}), "7");
    EXPECT_EQ(cluster.ask("shop", {"SELECT length(lo_get(12345))"}), "15000");
    EXPECT_EQ(cluster.ask("moved", {"SELECT answer FROM in_moved"}), "42");
    EXPECT_EQ(cluster.ask("shop", {"SELECT pg_xact_commit_timestamp(xmin) IS NOT NULL FROM orders "
                                   "WHERE id = 2"}),
              "t");
    EXPECT_EQ(
        cluster.ask("shop", {"COMMIT PREPARED 'pending'", "SELECT note FROM orders WHERE id = -1"}),
        "prepared");
    auto check = cluster.connection();
    check.insert(check.end(), {"--all", "--install-missing", "--heapallindexed", "--rootdescend"});
    const auto checked = run_postgres_program("pg_amcheck", check);
    EXPECT_EQ(checked.exit_code, 0) << checked.output;
    ASSERT_TRUE(cluster.stop());
    if (has_checksums()) {
      const auto sums = run_postgres_program("pg_checksums", {"-c", "-D", cluster.data().string()});
      EXPECT_EQ(sums.exit_code, 0) << sums.output;
    }
  }

  static bool has_checksums() { return !GetParam().initdb_options.empty(); }

  ClusterSpace space_;
  SourceCluster* source_ = nullptr;
  MemoryVersions store_;
};

// Relative paths of the files that make up the data of a cluster.
std::set<std::string> data_files(const filesystem::path& root) {
  std::set<std::string> files;
  for (const auto* part :
       {"base", "global", "pg_tblspc", "pg_xact", "pg_multixact", "pg_commit_ts", "pg_twophase"}) {
    const auto options = filesystem::directory_options::follow_directory_symlink;
    for (const auto& entry : filesystem::recursive_directory_iterator(root / part, options)) {
      const std::string name = entry.path().filename();
      if (!entry.is_regular_file() || name.starts_with("pg_internal.init") ||
          name == "pg_control") {
        continue;
      }
      files.insert(filesystem::path(entry.path()).lexically_relative(root));
    }
  }
  return files;
}

// Takes the forks of unlogged relations that are not the init fork out of `files`; returns their
// main forks.
std::set<std::string> take_unlogged(std::set<std::string>& files) {
  std::set<std::string> mains;
  for (const std::string& file : std::set(files)) {
    if (!file.ends_with("_init")) continue;
    const std::string main = file.substr(0, file.size() - 5);
    mains.insert(main);
    for (const auto* suffix : {"", "_fsm", "_vm"}) files.erase(main + suffix);
  }
  return mains;
}

TEST_P(RoundTrip, TheServerStartsWithoutRecoveryAndFindsEverything) {
  const auto imported = import(source_->data());
  ASSERT_TRUE(imported.ok()) << imported.error().message();
  EXPECT_EQ(imported->databases, 5U);
  EXPECT_EQ(imported->tablespaces, 1U);

  PostgresCluster restored(space_, "restored");
  const auto exported = export_data_directory(store_, imported->last_record_lsn, restored.data());
  ASSERT_TRUE(exported.ok()) << exported.error().message();
  EXPECT_EQ(exported->relations, imported->relations);
  EXPECT_EQ(exported->databases, imported->databases);

  std::set<std::string> files = data_files(source_->data());
  std::set<std::string> restored_files = data_files(restored.data());
  const auto unlogged = take_unlogged(files);
  EXPECT_EQ(unlogged.size(), 2U) << "a table and its index";
  EXPECT_EQ(take_unlogged(restored_files), unlogged);
  EXPECT_EQ(restored_files, files);
  for (const std::string& file : files) {
    EXPECT_TRUE(read_test_file(source_->data() / file) == read_test_file(restored.data() / file))
        << file << " differs";
  }
  for (const std::string& main : unlogged) {
    EXPECT_TRUE(read_test_file(restored.data() / main) ==
                read_test_file(restored.data() / (main + "_init")))
        << main;
  }

  expect_starts_with_all_data(restored);
}

TEST_P(RoundTrip, ARestoredClusterIsHarmlessUnlessToldOtherwise) {
  const auto imported = import(source_->data());
  ASSERT_TRUE(imported.ok()) << imported.error().message();

  PostgresCluster harmless(space_, "harmless");
  ASSERT_TRUE(export_data_directory(store_, imported->last_record_lsn, harmless.data()).ok());
  ASSERT_TRUE(harmless.start());
  EXPECT_EQ(harmless.ask("postgres", {"SHOW archive_mode"}), "off");
  EXPECT_EQ(harmless.ask("postgres", {"SHOW max_logical_replication_workers"}), "0");
  EXPECT_EQ(harmless.ask("postgres", {"SHOW hba_file"}),
            (harmless.data() / "pg_hba.conf").string());
  EXPECT_EQ(harmless.ask("postgres", {"SHOW max_prepared_transactions"}), "5");
  ASSERT_TRUE(harmless.stop());

  PostgresCluster as_stored(space_, "as_stored");
  ASSERT_TRUE(
      export_data_directory(store_, imported->last_record_lsn, as_stored.data(),
                            {.owner = {}, .tablespaces = {}, .keep_config = true, .stop = {}})
          .ok());
  ASSERT_TRUE(as_stored.start());
  EXPECT_EQ(as_stored.ask("postgres", {"SHOW archive_mode"}), "on");
  EXPECT_EQ(as_stored.ask("postgres", {"SHOW hba_file"}),
            (source_->data() / "pg_hba.conf").string());
}

TEST_P(RoundTrip, TablespacesGoWhereTheyAreMapped) {
  const auto imported = import(source_->data());
  ASSERT_TRUE(imported.ok()) << imported.error().message();

  PostgresCluster mapped(space_, "mapped");
  const auto exported = export_data_directory(
      store_, imported->last_record_lsn, mapped.data(),
      {.owner = {},
       .tablespaces = {{.tablespace = source_->tablespace().string(), .location = space_ / "new"}},
       .keep_config = false,
       .stop = {}});
  ASSERT_TRUE(exported.ok()) << exported.error().message();
  ASSERT_TRUE(mapped.start());
  EXPECT_EQ(mapped.ask("shop", {"SELECT a FROM fast_table"}), "7");
  EXPECT_EQ(mapped.ask("postgres", {"SELECT pg_tablespace_location(oid) FROM pg_tablespace "
                                    "WHERE spcname = 'fast'"}),
            (space_ / "new").string());
}

TEST_P(RoundTrip, ARestoredClusterCanBeImportedAgain) {
  auto imported = import(source_->data());
  ASSERT_TRUE(imported.ok()) << imported.error().message();
  const auto first = export_data_directory(store_, imported->last_record_lsn, space_ / "first");
  ASSERT_TRUE(first.ok()) << first.error().message();

  imported = import(space_ / "first");
  ASSERT_TRUE(imported.ok()) << imported.error().message();
  EXPECT_EQ(imported->image_lsn, first->checkpoint_lsn);
  PostgresCluster second(space_, "second");
  ASSERT_TRUE(export_data_directory(store_, imported->last_record_lsn, second.data()).ok());
  expect_starts_with_all_data(second);
}

INSTANTIATE_TEST_SUITE_P(Clusters, RoundTrip,
                         testing::Values(ClusterKind{"without_checksums", {}},
                                         ClusterKind{"with_checksums_and_small_wal",
                                                     {"--data-checksums", "--wal-segsize=4"}}),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace varve
