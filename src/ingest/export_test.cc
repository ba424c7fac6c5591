#include "ingest/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/checksum.h"
#include "ingest/import.h"
#include "ingest/test_support/database_catalog.h"
#include "ingest/test_support/memory_versions.h"
#include "ingest/test_support/small_data_directory.h"
#include "ingest/test_support/unprivileged.h"
#include "postgres/control_file.h"
#include "postgres/stored_values.h"

namespace varve {
namespace {

namespace filesystem = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr Lsn kLsn{0x176ACC0};

RelationForkTag fork(uint32_t relation, RelationFork which = RelationFork::kMain) {
  return {.relation = {{kDefaultTablespace, 5}, relation}, .fork = which};
}

// Starts from an imported small data directory; tests change what is stored.
class Export : public testing::Test {
 protected:
  void SetUp() override { import(); }

  void import() {
    const auto source = DataDirectory::open(data_.path());
    ASSERT_TRUE(source.ok()) << source.error().message();
    store_ = {};
    const auto summary = import_data_directory(*source, store_);
    ASSERT_TRUE(summary.ok()) << summary.error().message();
  }

  Result<ExportSummary> run(const ExportOptions& options = {}) {
    return export_data_directory(store_, kLsn, to_, options);
  }

  std::string refusal(ErrorCode code, const ExportOptions& options = {}) {
    const auto result = run(options);
    if (result.ok()) return "it was exported";
    EXPECT_EQ(result.code(), code) << result.error().message();
    return result.error().message();
  }

  std::string restored(std::string_view name) const { return read_test_file(to_ / name); }

  void store_fork(const RelationForkTag& tag, uint32_t blocks) {
    const auto count = encode_block_count(blocks);
    store_[RelationSizeKey{tag}] = Bytes(count.begin(), count.end());
  }
  void store_page(const RelationForkTag& tag, uint32_t block, const std::string& page) {
    const ByteView bytes = as_bytes(page);
    store_[RelationBlockKey{tag, block}] = Bytes(bytes.begin(), bytes.end());
  }
  void store_file(const std::string& path, std::string_view content, mode_t mode = S_IFREG | 0600) {
    Bytes value = AuxiliaryFileHeader{.path = path, .mode = mode, .size = content.size()}.encode();
    const ByteView bytes = as_bytes(content);
    value.insert(value.end(), bytes.begin(), bytes.end());
    store_[AuxiliaryFileKey{auxiliary_path_hash(path), 0}] = value;
  }

  SmallDataDirectory data_;
  MemoryVersions store_;
  TemporaryDirectory parent_ = *TemporaryDirectory::create();
  filesystem::path to_ = parent_ / "restored";
};

TEST_F(Export, WritesBackWhatWasImported) {
  const auto summary = run();
  ASSERT_TRUE(summary.ok()) << summary.error().message();
  EXPECT_EQ(summary->lsn, kLsn);
  EXPECT_EQ(summary->checkpoint_lsn.to_string(), "0/2000028");
  EXPECT_EQ(summary->relations, 2U);
  EXPECT_EQ(summary->databases, 1U);
  for (const auto* file : {"PG_VERSION", "global/pg_filenode.map", "global/1262",
                           "base/5/PG_VERSION", "base/5/pg_filenode.map", "base/5/16384",
                           "pg_xact/0000", "pg_multixact/offsets/0000", "pg_twophase/000002D5"}) {
    EXPECT_TRUE(restored(file) == read_test_file(data_ / file)) << file;
  }
  for (const auto* directory : {"pg_notify", "pg_replslot", "pg_wal/archive_status", "pg_tblspc",
                                "pg_logical/snapshots", "pg_commit_ts", "pg_dynshmem"}) {
    EXPECT_TRUE(filesystem::is_directory(to_ / directory)) << directory;
  }
}

TEST_F(Export, TheControlFileSaysShutDownInAFreshWalSegment) {
  ASSERT_TRUE(run().ok());
  const std::string file = restored("global/pg_control");
  EXPECT_EQ(file.size(), kControlFileSize);
  const auto control_file = ControlFile::parse(as_bytes(file));
  ASSERT_TRUE(control_file.ok());
  EXPECT_EQ(control_file->state(), DatabaseState::kShutDown);
  EXPECT_EQ(control_file->checkpoint_lsn().to_string(), "0/2000028");
  EXPECT_EQ(control_file->checkpoint().redo.to_string(), "0/2000028");
  EXPECT_EQ(control_file->checkpoint().next_transaction, 726U);
  EXPECT_EQ(filesystem::file_size(to_ / "pg_wal/000000010000000000000002"), 16U << 20);
}

TEST_F(Export, ManyThreadsWriteWhatOneWrites) {
  for (uint32_t relation = 20000; relation < 20060; ++relation) {
    const uint32_t blocks = relation % 7;
    for (const RelationFork which : {RelationFork::kMain, RelationFork::kVisibilityMap}) {
      store_fork(fork(relation, which), blocks);
      // Some are left out, and some lie beyond the end.
      for (uint32_t block = 0; block < 9; block += 1 + relation % 2) {
        store_page(fork(relation, which), block, test_page(block, static_cast<uint8_t>(relation)));
      }
    }
  }
  store_fork(fork(20070, RelationFork::kInit), 2);
  store_page(fork(20070, RelationFork::kInit), 1, test_page(1));
  std::map<std::string, std::string> trees[2];
  for (const bool many : {false, true}) {
    to_ = parent_ / (many ? "many" : "one");
    const auto summary = run({.threads = many ? 5U : 1U});
    ASSERT_TRUE(summary.ok()) << summary.error().message();
    EXPECT_EQ(summary->relations, 63U);
    for (const auto& entry : filesystem::recursive_directory_iterator(to_)) {
      if (!entry.is_regular_file()) continue;
      const std::string name = filesystem::relative(entry.path(), to_);
      trees[many][name] = read_test_file(entry.path());
    }
  }
  EXPECT_GT(trees[0].size(), 122U);
  EXPECT_TRUE(trees[0] == trees[1]);
  EXPECT_TRUE(restored("base/5/20070") == std::string(kBlockSize, '\0') + test_page(1));
}

TEST_F(Export, WhatOneThreadMeetsEndsTheOthers) {
  for (uint32_t relation = 20000; relation < 20060; ++relation) {
    store_fork(fork(relation), 1);
    store_page(fork(relation), 0, test_page(0));
  }
  store_page(fork(20030), 0, "short");
  EXPECT_THAT(refusal(ErrorCode::kCorrupted, {.threads = 5}), HasSubstr("1663/5/20030"));
  EXPECT_FALSE(filesystem::exists(to_));
}

TEST_F(Export, TheCountersAreThoseOfTheCheckpointKey) {
  auto checkpoint = CheckpointRecord::parse(store_[CheckpointKey{}]);
  ASSERT_TRUE(checkpoint.ok());
  checkpoint->next_transaction = 5'000'000'000;
  checkpoint->oldest_active_transaction = 700;
  const auto encoded = checkpoint->encode();
  store_[CheckpointKey{}] = Bytes(encoded.begin(), encoded.end());
  ASSERT_TRUE(run().ok());
  const auto control_file = ControlFile::parse(as_bytes(restored("global/pg_control")));
  EXPECT_EQ(control_file->checkpoint().next_transaction, 5'000'000'000U);
  EXPECT_EQ(control_file->checkpoint().oldest_active_transaction, 0U)
      << "nothing runs at a shutdown checkpoint";
}

TEST_F(Export, BlocksThatWereNeverWrittenAreZeros) {
  store_fork(fork(500), 5);
  store_page(fork(500), 1, test_page(1));
  store_page(fork(500), 3, test_page(3));
  ASSERT_TRUE(run().ok());
  const std::string zeros(kBlockSize, '\0');
  EXPECT_TRUE(restored("base/5/500") == zeros + test_page(1) + zeros + test_page(3) + zeros);
}

TEST_F(Export, BlocksBeyondTheSizeAreLeftOut) {
  store_fork(fork(500), 1);
  store_fork(fork(500, RelationFork::kVisibilityMap), 1);
  for (uint32_t block = 0; block < 4; ++block) store_page(fork(500), block, test_page(block));
  store_page(fork(500, RelationFork::kVisibilityMap), 0, test_page(0, 9));
  store_page(fork(501), 0, test_page(0));
  ASSERT_TRUE(run().ok());
  EXPECT_TRUE(restored("base/5/500") == test_page(0));
  EXPECT_TRUE(restored("base/5/500_vm") == test_page(0, 9));
  EXPECT_FALSE(filesystem::exists(to_ / "base/5/501")) << "a relation without a size was dropped";
}

TEST_F(Export, AnEmptyRelationIsAnEmptyFile) {
  store_fork(fork(500), 0);
  store_page(fork(500), 0, test_page(0));
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(restored("base/5/500"), "");
}

TEST_F(Export, AnUnloggedRelationStartsFromItsInitFork) {
  store_fork(fork(500, RelationFork::kInit), 2);
  store_page(fork(500, RelationFork::kInit), 0, test_page(0, 3));
  store_page(fork(500, RelationFork::kInit), 1, test_page(1, 4));
  ASSERT_TRUE(run().ok());
  const std::string pages = test_page(0, 3) + test_page(1, 4);
  EXPECT_TRUE(restored("base/5/500_init") == pages);
  EXPECT_TRUE(restored("base/5/500") == pages);
}

TEST_F(Export, LargeRelationsAreCutIntoSegments) {
  store_fork(fork(500), kBlocksPerSegment + 2);
  store_page(fork(500), 0, test_page(0));
  store_page(fork(500), kBlocksPerSegment + 1, test_page(kBlocksPerSegment + 1));
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(filesystem::file_size(to_ / "base/5/500"), uint64_t{kBlocksPerSegment} * kBlockSize);
  EXPECT_TRUE(restored("base/5/500.1") ==
              std::string(kBlockSize, '\0') + test_page(kBlocksPerSegment + 1));
}

TEST_F(Export, ChecksumsAreComputedAnew) {
  std::string page = test_page(1);
  page[8] ^= 0x5A;
  store_fork(fork(500), 2);
  store_page(fork(500), 1, page);
  ASSERT_TRUE(run().ok());
  EXPECT_TRUE(restored("base/5/500") == std::string(kBlockSize, '\0') + test_page(1));
}

TEST_F(Export, SettingsThatPointAtTheSourceAreSwitchedOff) {
  store_file("postgresql.conf",
             "port = 5433\n"
             "  Data_Directory = '/production'\n"
             "#hba_file = 'x'\n"
             "hba_file '/etc/pg_hba.conf'\n"
             "hba_files_of_mine = 1\n"
             "external_pid_file='/run/pid'");
  store_file("conf.d/more.conf", "ident_file = '/etc/pg_ident.conf'\n");
  store_file("pg_hba.conf", "data_directory all all trust\n");
  store_file("postgresql.auto.conf", "archive_mode = on");
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(restored("postgresql.conf"),
            "port = 5433\n"
            "# of the source:   Data_Directory = '/production'\n"
            "#hba_file = 'x'\n"
            "# of the source: hba_file '/etc/pg_hba.conf'\n"
            "hba_files_of_mine = 1\n"
            "# of the source: external_pid_file='/run/pid'");
  EXPECT_EQ(restored("conf.d/more.conf"), "# of the source: ident_file = '/etc/pg_ident.conf'\n");
  EXPECT_EQ(restored("pg_hba.conf"), "data_directory all all trust\n");
  EXPECT_THAT(restored("postgresql.auto.conf"),
              AllOf(HasSubstr("archive_mode = on\n"), HasSubstr("\narchive_mode = 'off'\n"),
                    HasSubstr("\nprimary_conninfo = ''\n"),
                    HasSubstr("\nmax_logical_replication_workers = '0'\n")));
}

TEST_F(Export, ConfigurationIsKeptOnRequest) {
  const std::string settings = "hba_file = '/etc/pg_hba.conf'\n";
  store_file("postgresql.conf", settings + "data_directory = '/production'\n");
  store_file("postgresql.auto.conf", "archive_mode = on\n");
  ASSERT_TRUE(run({.owner = {}, .tablespaces = {}, .keep_config = true, .stop = {}}).ok());
  EXPECT_EQ(restored("postgresql.conf"),
            settings + "# of the source: data_directory = '/production'\n");
  EXPECT_EQ(restored("postgresql.auto.conf"), "archive_mode = on\n");
}

TEST_F(Export, MakesUpConfigurationThatTheSourceKeptElsewhere) {
  store_.erase(AuxiliaryFileKey{auxiliary_path_hash("postgresql.conf"), 0});
  ASSERT_TRUE(run().ok());
  EXPECT_THAT(restored("postgresql.conf"), HasSubstr("max_prepared_transactions = 5\n"));
  EXPECT_THAT(restored("pg_hba.conf"), AllOf(HasSubstr("peer"), Not(HasSubstr("trust"))));
  EXPECT_EQ(restored("pg_ident.conf"), "");
  EXPECT_THAT(restored("postgresql.auto.conf"), HasSubstr("archive_mode = 'off'"));
}

TEST_F(Export, NothingSendsTheServerIntoRecovery) {
  for (const auto* name : {"standby.signal", "recovery.signal", "backup_label"}) {
    store_file(name, "");
  }
  ASSERT_TRUE(run().ok());
  for (const auto* name : {"standby.signal", "recovery.signal", "backup_label"}) {
    EXPECT_FALSE(filesystem::exists(to_ / name)) << name;
  }
}

TEST_F(Export, FilesAreForTheOwnerAlone) {
  store_file("script.sh", "", S_IFREG | 0755);
  store_file("world.txt", "", S_IFREG | 0666);
  ASSERT_TRUE(run().ok());
  const auto mode = [this](const char* name) {
    struct stat status{};
    EXPECT_EQ(stat((to_ / name).c_str(), &status), 0) << name;
    return status.st_mode & 07777;
  };
  EXPECT_EQ(mode("."), 0700U);
  EXPECT_EQ(mode("base/5"), 0700U);
  EXPECT_EQ(mode("base/5/16384"), 0600U);
  EXPECT_EQ(mode("global/pg_control"), 0600U);
  EXPECT_EQ(mode("script.sh"), 0700U);
  EXPECT_EQ(mode("world.txt"), 0600U);
}

TEST_F(Export, TheGroupMayReadWhatItCouldReadBefore) {
  store_[DataDirectoryKey{}] = DataDirectoryFacts{.mode = 0750}.encode();
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(filesystem::status(to_).permissions(), filesystem::perms(0750));
  EXPECT_EQ(filesystem::status(to_ / "base/5/16384").permissions(), filesystem::perms(0640));
}

TEST_F(Export, AnEmptyDirectoryIsATarget) {
  filesystem::create_directory(to_);
  EXPECT_TRUE(run().ok());
}

TEST_F(Export, TheTargetMayBeNamedWithASlashOrThroughALink) {
  filesystem::create_directory(parent_ / "real");
  filesystem::create_directory_symlink(parent_ / "real", to_);
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(read_test_file(parent_ / "real/PG_VERSION"), "15\n");
  to_ = parent_ / "slash/";
  EXPECT_TRUE(run().ok());
}

TEST_F(Export, ADirectoryThatMayNotBeWrittenIsNamed) {
  filesystem::permissions(parent_.path(), filesystem::perms(0555));
  const Unprivileged unprivileged;
  EXPECT_THAT(refusal(ErrorCode::kDenied), HasSubstr(to_.string()));
}

TEST_F(Export, AnythingElseThatExistsIsNot) {
  write_test_file(to_ / "mine", "precious");
  EXPECT_THAT(refusal(ErrorCode::kConflict), AllOf(HasSubstr(to_.string()), HasSubstr("another")));
  EXPECT_EQ(restored("mine"), "precious");
  to_ = to_ / "mine";
  EXPECT_THAT(refusal(ErrorCode::kConflict), HasSubstr("mine"));
}

TEST_F(Export, TheDirectoryAboveMustExist) {
  to_ = parent_ / "no/such";
  EXPECT_THAT(refusal(ErrorCode::kNotFound), HasSubstr("no/such"));
}

TEST_F(Export, NothingIsLeftAfterAnError) {
  // Comes late, so that much was written before.
  store_file("late", "short");
  const AuxiliaryFileKey key{auxiliary_path_hash("late"), 0};
  store_[key].pop_back();
  EXPECT_THAT(refusal(ErrorCode::kCorrupted), HasSubstr("late"));
  EXPECT_FALSE(filesystem::exists(to_));

  filesystem::create_directory(to_);
  EXPECT_THAT(refusal(ErrorCode::kCorrupted), HasSubstr("late"));
  EXPECT_TRUE(filesystem::is_empty(to_));
}

TEST_F(Export, StopsWhenAskedAndLeavesNothing) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THAT(
      refusal(ErrorCode::kCancelled,
              {.owner = {}, .tablespaces = {}, .keep_config = false, .stop = stop.get_token()}),
      HasSubstr("stopped"));
  EXPECT_FALSE(filesystem::exists(to_));
}

TEST_F(Export, MissingFactsAreNamed) {
  store_.erase(CheckpointKey{});
  EXPECT_THAT(refusal(ErrorCode::kNotFound), HasSubstr("checkpoint"));
}

TEST_F(Export, DamagedFactsAreNamed) {
  store_fork(fork(500), 1);
  store_page(fork(500), 0, "short");
  EXPECT_THAT(refusal(ErrorCode::kCorrupted), HasSubstr("relation 1663/5/500 main block 0"));
  store_page(fork(500), 0, test_page(0));
  store_[RelationBlockKey{fork(500), 0}][4] = 0xFF;
  store_[RelationBlockKey{fork(500), 0}][7] = 0xFF;
  EXPECT_THAT(refusal(ErrorCode::kCorrupted), HasSubstr("relation 1663/5/500 main block 0"));
  store_page(fork(500), 0, test_page(0));

  store_[RelationMapKey{{kDefaultTablespace, 5}}][30] ^= 1;
  EXPECT_THAT(refusal(ErrorCode::kCorrupted), HasSubstr("relation map 1663/5"));
}

TEST_F(Export, TablespacesStayInsideUnlessMapped) {
  write_test_file(data_.outside("space/PG_15_202209061/5/400"), test_pages(1));
  filesystem::create_symlink(data_.outside("space"), data_ / "pg_tblspc/16400");
  import();
  ASSERT_TRUE(run().ok());
  EXPECT_TRUE(filesystem::is_directory(filesystem::symlink_status(to_ / "pg_tblspc/16400")));
  EXPECT_TRUE(restored("pg_tblspc/16400/PG_15_202209061/5/400") == test_pages(1));

  to_ = parent_ / "mapped";
  const auto mapped = run({.owner = {},
                           .tablespaces = {{.tablespace = "16400", .location = parent_ / "space"}},
                           .keep_config = false,
                           .stop = {}});
  ASSERT_TRUE(mapped.ok()) << mapped.error().message();
  EXPECT_EQ(filesystem::read_symlink(to_ / "pg_tblspc/16400"), parent_ / "space");
  EXPECT_TRUE(read_test_file(parent_ / "space/PG_15_202209061/5/400") == test_pages(1));
}

TEST_F(Export, AFailureLeavesNothingAtMappedLocationsEither) {
  store_[TablespaceKey{16400}] = TablespaceFacts{.location = "/old"}.encode();
  store_[RelationMapKey{{kDefaultTablespace, 5}}][30] ^= 1;
  const ExportOptions options{
      .owner = {},
      .tablespaces = {{.tablespace = "/old", .location = parent_ / "space"}},
      .keep_config = false,
      .stop = {}};
  EXPECT_THAT(refusal(ErrorCode::kCorrupted, options), HasSubstr("relation map"));
  EXPECT_FALSE(filesystem::exists(to_));
  EXPECT_FALSE(filesystem::exists(parent_ / "space"));
}

TEST_F(Export, WrongTablespaceMappingsAreRefusedBeforeAnythingIsWritten) {
  store_[TablespaceKey{16400}] = TablespaceFacts{.location = "/old"}.encode();
  const auto with = [](std::vector<TablespaceMapping> mappings) {
    return ExportOptions{
        .owner = {}, .tablespaces = std::move(mappings), .keep_config = false, .stop = {}};
  };
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument, with({{"/other", parent_ / "x"}})),
              AllOf(HasSubstr("/other"), HasSubstr("16400 (/old)")));
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument, with({{"16400", "relative"}})),
              HasSubstr("absolute"));
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument,
                      with({{"16400", parent_ / "x"}, {"/old", parent_ / "y"}})),
              HasSubstr("twice"));
  EXPECT_FALSE(filesystem::exists(to_));
}

TEST_F(Export, ReportsProgressUpToTheEnd) {
  store_fork(fork(500), 400);
  for (uint32_t block = 0; block < 400; ++block) store_page(fork(500), block, test_page(block));
  store_fork(fork(501, RelationFork::kInit), 1);
  store_page(fork(501, RelationFork::kInit), 0, test_page(0));
  store_file("notes.txt", std::string(100000, 'x'));
  std::vector<Progress> reports;
  const auto summary = export_data_directory(
      store_, kLsn, to_, {}, [&reports](const Progress& progress) { reports.push_back(progress); });
  ASSERT_TRUE(summary.ok());
  ASSERT_GE(reports.size(), 3U);
  EXPECT_EQ(reports.back().bytes_done, reports.back().bytes_total);
  for (const Progress& progress : reports) EXPECT_LE(progress.bytes_done, progress.bytes_total);
}

// The golden one, as of a transaction in another database.
Bytes two_phase_file_of(uint32_t transaction, uint32_t database) {
  Bytes file = two_phase_file();
  store_little(&file[8], transaction);
  store_little(&file[12], database);
  const size_t checked = file.size() - 4;
  store_little(&file[checked], crc32c(ByteView(file).first(checked)));
  return file;
}

// With the databases `app` and `logs` beside `postgres`; `logs` also has a relation in a
// tablespace.
class ExportOfDatabases : public Export {
 protected:
  static constexpr uint32_t kApp = 16400;
  static constexpr uint32_t kLogs = 16401;
  static constexpr uint32_t kTablespace = 16450;

  void SetUp() override {
    Export::SetUp();
    store_catalog(store_, {catalog().page()});
    for (const uint32_t oid : {kApp, kLogs}) {
      const DatabaseTag directory{kDefaultTablespace, oid};
      store_[DatabaseDirectoryKey{directory}] = DatabaseDirectoryFacts{}.encode();
      const std::string map = test_relation_map();
      store_[RelationMapKey{directory}] = Bytes(map.begin(), map.end());
      store_relation({directory, 500}, 3);
      store_file(directory.path() + "/notes.txt", "of a user");
      store_file(directory.path() + "/nothing", "", S_IFDIR | 0700);
    }
    const DatabaseTag outside{kTablespace, kLogs};
    store_[TablespaceKey{kTablespace}] = TablespaceFacts{.location = "/old"}.encode();
    store_relation({outside, 501}, 2);
    store_[TwoPhaseFileKey{726}] = two_phase_file_of(726, kLogs);
    store_[TwoPhaseFileKey{727}] = two_phase_file_of(727, kApp);
  }

  static HeapPageBuilder catalog(int32_t limit_of_logs = -1) {
    return HeapPageBuilder()
        .add({.data = database_columns(5, "postgres")})
        .add({.data = database_columns(kApp, "app", 7, true)})
        .add({.data = database_columns(kLogs, "logs", limit_of_logs)});
  }

  void store_relation(const RelationTag& relation, uint32_t blocks) {
    const RelationForkTag tag{relation, RelationFork::kMain};
    store_fork(tag, blocks);
    for (uint32_t block = 0; block < blocks; ++block) store_page(tag, block, test_page(block));
  }

  std::vector<std::string> entries(std::string_view directory) const {
    std::vector<std::string> names;
    for (const auto& entry : filesystem::directory_iterator(to_ / directory)) {
      names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    return names;
  }
};

TEST_F(ExportOfDatabases, AllComeBackWithoutAName) {
  const auto summary = run();
  ASSERT_TRUE(summary.ok()) << summary.error().message();
  EXPECT_EQ(summary->databases, 3U);
  EXPECT_THAT(summary->empty_databases, ElementsAre());
  EXPECT_THAT(entries("base/16401"),
              ElementsAre("500", "PG_VERSION", "notes.txt", "nothing", "pg_filenode.map"));
  EXPECT_EQ(restored("global/17001"), as_text(catalog().page()));
}

TEST_F(ExportOfDatabases, OthersThanTheNamedAreEmpty) {
  const auto all = run();
  ASSERT_TRUE(all.ok()) << all.error().message();
  to_ = parent_ / "some";
  const auto some = run({.databases = {"app"}});
  ASSERT_TRUE(some.ok()) << some.error().message();
  EXPECT_EQ(some->databases, 2U);
  EXPECT_THAT(some->empty_databases, ElementsAre("logs"));
  EXPECT_EQ(some->relations, all->relations - 2);
  EXPECT_THAT(entries("base"), ElementsAre("16400", "16401", "5"));
  EXPECT_THAT(entries("base/16400"),
              ElementsAre("500", "PG_VERSION", "notes.txt", "nothing", "pg_filenode.map"));
  EXPECT_TRUE(restored("base/16400/500") == test_pages(3));
  EXPECT_TRUE(restored("base/5/16384") == read_test_file(data_ / "base/5/16384"));
  EXPECT_THAT(entries("base/16401"), ElementsAre());
  EXPECT_THAT(entries("pg_tblspc/16450/PG_15_202209061/16401"), ElementsAre());
}

TEST_F(ExportOfDatabases, RowsOfEmptyOnesSayThatTheyAreHalfDropped) {
  ASSERT_TRUE(run({.databases = {"app"}}).ok());
  EXPECT_TRUE(restored("global/17001") == as_text(catalog(-2).page()));
}

TEST_F(ExportOfDatabases, PreparedTransactionsOfEmptyOnesAreLeftOut) {
  ASSERT_TRUE(run({.databases = {"app"}}).ok());
  EXPECT_THAT(entries("pg_twophase"), ElementsAre("000002D5", "000002D7"));
}

TEST_F(ExportOfDatabases, PagesOfEmptyOnesAreNotRead) {
  const RelationForkTag tag{{{kDefaultTablespace, kLogs}, 500}, RelationFork::kMain};
  store_page(tag, 1, "damaged");
  EXPECT_THAT(refusal(ErrorCode::kCorrupted), HasSubstr("main block 1"));
  EXPECT_TRUE(run({.databases = {"app"}}).ok());
}

TEST_F(ExportOfDatabases, ProgressIsOfWhatIsWritten) {
  Progress last;
  const auto summary =
      export_data_directory(store_, kLsn, to_, {.databases = {"app"}},
                            [&last](const Progress& progress) { last = progress; });
  ASSERT_TRUE(summary.ok());
  // Two relations of the imported directory, three blocks in all; one of the app; the catalog.
  EXPECT_EQ(last.bytes_total, (3U + 3U + 1U) * kBlockSize);
  EXPECT_EQ(last.bytes_done, last.bytes_total);
}

TEST_F(ExportOfDatabases, AnUnknownNameIsRefusedBeforeAnythingIsWritten) {
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument, {.databases = {"app", "lugs"}}),
              AllOf(HasSubstr("'lugs'"), HasSubstr("app, logs, postgres")));
  EXPECT_FALSE(filesystem::exists(to_));
}

TEST_F(Export, WhatWasRestoredCanBeImported) {
  ASSERT_TRUE(run().ok());
  const auto source = DataDirectory::open(to_);
  ASSERT_TRUE(source.ok()) << source.error().message();
  MemoryVersions again;
  const auto summary = import_data_directory(*source, again);
  ASSERT_TRUE(summary.ok()) << summary.error().message();
  EXPECT_EQ(summary->image_lsn.to_string(), "0/2000028");
}

}  // namespace
}  // namespace varve
