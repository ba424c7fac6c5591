#include "ingest/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "ingest/test_support/memory_versions.h"
#include "ingest/test_support/small_data_directory.h"
#include "ingest/test_support/unprivileged.h"
#include "postgres/stored_values.h"

namespace varve {
namespace {

namespace filesystem = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint64_t kSegmentBytes = uint64_t{kBlocksPerSegment} * kBlockSize;

RelationForkTag fork(uint32_t relation, RelationFork which = RelationFork::kMain) {
  return {.relation = {{kDefaultTablespace, 5}, relation}, .fork = which};
}

class Import : public testing::Test {
 protected:
  Result<ImportSummary> run(const ImportOptions& options = {}) {
    store_ = {};
    VARVE_ASSIGN(const DataDirectory source, DataDirectory::open(data_.path()));
    return import_data_directory(source, store_, options);
  }

  std::string refusal(ErrorCode code, const ImportOptions& options = {}) {
    const auto result = run(options);
    if (result.ok()) return "it was imported";
    EXPECT_EQ(result.code(), code) << result.error().message();
    return result.error().message();
  }

  std::optional<uint32_t> blocks(const RelationForkTag& tag) {
    if (!store_.has(RelationSizeKey{tag})) return {};
    return *decode_block_count(store_[RelationSizeKey{tag}]);
  }

  bool has_auxiliary(std::string_view path) const {
    return store_.has(AuxiliaryFileKey{auxiliary_path_hash(path), 0});
  }

  void resize(const std::string& name, uint64_t size) const {
    filesystem::resize_file(data_ / name, size);
  }

  SmallDataDirectory data_;
  MemoryVersions store_;
};

TEST_F(Import, SaysWhatItFound) {
  const auto summary = run();
  ASSERT_TRUE(summary.ok()) << summary.error().message();
  EXPECT_EQ(summary->image_lsn.to_string(), "0/176AC48");
  EXPECT_EQ(summary->last_record_lsn.to_string(), "0/176ACC0");
  EXPECT_EQ(summary->system_identifier, 7710731997825599511U);
  EXPECT_EQ(summary->relations, 2U);
  EXPECT_EQ(summary->databases, 1U);
  EXPECT_EQ(summary->tablespaces, 0U);
  EXPECT_EQ(summary->auxiliary_files, 1U);
  EXPECT_EQ(summary->images, store_.keys_of(KeyRange::all()).size());
  EXPECT_TRUE(summary->skipped.empty());
}

TEST_F(Import, StoresEveryFactUnderItsKey) {
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(blocks(fork(16384)), 2U);
  const RelationBlockKey second_block{fork(16384), 1};
  EXPECT_EQ(as_text(store_[second_block]), test_page(1));
  EXPECT_EQ(store_[ControlFileKey{}], stopped_control_file());
  EXPECT_TRUE(store_.has(CheckpointKey{}));
  EXPECT_TRUE(store_.has(DatabaseDirectoryKey{{kDefaultTablespace, 5}}));
  EXPECT_TRUE(store_.has(RelationMapKey{{kDefaultTablespace, 5}}));
  EXPECT_TRUE(store_.has(RelationMapKey{{kGlobalTablespace, 0}}));
  EXPECT_TRUE(store_.has(SlruSegmentSizeKey{Slru::kTransactionStatus, 0}));
  EXPECT_TRUE(store_.has(SlruBlockKey{Slru::kTransactionStatus, 0}));
  EXPECT_EQ(store_[TwoPhaseFileKey{725}], two_phase_file());
  EXPECT_TRUE(has_auxiliary("postgresql.conf"));
}

TEST_F(Import, AnEmptyRelationExists) {
  data_.write("base/5/20000", "");
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(blocks(fork(20000)), 0U);
  EXPECT_EQ(blocks(fork(20001)), std::nullopt);
}

TEST_F(Import, AnUnloggedRelationKeepsItsInitForkOnly) {
  data_.write("base/5/300", test_pages(3));
  data_.write("base/5/300_fsm", test_pages(3));
  data_.write("base/5/300_vm", test_pages(1));
  data_.write("base/5/300_init", test_pages(1));
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(blocks(fork(300)), std::nullopt);
  EXPECT_EQ(blocks(fork(300, RelationFork::kFreeSpaceMap)), std::nullopt);
  EXPECT_EQ(blocks(fork(300, RelationFork::kVisibilityMap)), std::nullopt);
  EXPECT_EQ(blocks(fork(300, RelationFork::kInit)), 1U);
}

TEST_F(Import, LeavesOutWhatARestoreMustNotHave) {
  const std::string left_out[] = {"base/5/t3_16400",
                                  "base/5/pg_internal.init",
                                  "base/5/pg_internal.init.123",
                                  "base/pgsql_tmp/t.1",
                                  "base/5/pgsql_tmp12.0",
                                  "global/pg_internal.init",
                                  "pg_wal/000000010000000000000001",
                                  "log/postgresql.log",
                                  "pg_replslot/slot/state",
                                  "pg_subtrans/0000",
                                  "pg_notify/0000",
                                  "pg_stat_tmp/x",
                                  "postmaster.opts",
                                  "standby.signal",
                                  "recovery.signal",
                                  "backup_label.old",
                                  "current_logfiles",
                                  "postgresql.auto.conf.tmp"};
  const auto before = run();
  ASSERT_TRUE(before.ok());
  for (const std::string& name : left_out) data_.write(name, "content");
  const auto after = run();
  ASSERT_TRUE(after.ok()) << after.error().message();
  EXPECT_EQ(after->images, before->images);
  for (const std::string& name : left_out) EXPECT_FALSE(has_auxiliary(name)) << name;
}

TEST_F(Import, KeepsTheUsersOwnFiles) {
  data_.write("conf.d/memory.conf", "work_mem = '1GB'");
  data_.write("pg_stat/pgstat.stat", "statistics");
  data_.write("base/5/notes.txt", "notes");
  filesystem::create_directories(data_ / "conf.d/empty");
  filesystem::create_symlink(data_ / "conf.d/memory.conf", data_ / "linked.conf");
  const auto summary = run();
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->auxiliary_files, 6U);
  for (const auto* path : {"conf.d/memory.conf", "pg_stat/pgstat.stat", "base/5/notes.txt",
                           "conf.d/empty", "linked.conf"}) {
    EXPECT_TRUE(has_auxiliary(path)) << path;
  }
}

TEST_F(Import, SaysWhatNoRestoreCanBringBack) {
  filesystem::create_symlink("/nowhere/at/all", data_ / "dangling");
  ASSERT_EQ(mkfifo((data_ / "pipe").c_str(), 0600), 0);
  const auto summary = run();
  ASSERT_TRUE(summary.ok());
  EXPECT_THAT(summary->skipped, ElementsAre("dangling", "pipe"));
}

TEST_F(Import, CutsALargeFileIntoChunks) {
  std::string content(2 * kAuxiliaryChunkSize + 5, 'x');
  content.back() = 'y';
  data_.write("large", content);
  ASSERT_TRUE(run().ok());
  const uint64_t hash = auxiliary_path_hash("large");
  ByteView first = store_[AuxiliaryFileKey{hash, 0}];
  const auto header = AuxiliaryFileHeader::decode(first);
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->path, "large");
  EXPECT_EQ(header->size, content.size());
  EXPECT_EQ(first.size(), kAuxiliaryChunkSize);
  EXPECT_EQ(as_text(store_[AuxiliaryFileKey{hash, 2}]), "xxxxy");
  EXPECT_FALSE(store_.has(AuxiliaryFileKey{hash, 3}));
}

TEST_F(Import, FollowsTablespaces) {
  write_test_file(data_.outside("space/PG_15_202209061/5/400"), test_pages(1));
  write_test_file(data_.outside("space/PG_14_202107181/5/400"), "of another version");
  filesystem::create_symlink(data_.outside("space"), data_ / "pg_tblspc/16400");
  write_test_file(data_ / "pg_tblspc/16401/PG_15_202209061/5/401", test_pages(1));
  const auto summary = run();
  ASSERT_TRUE(summary.ok()) << summary.error().message();
  EXPECT_EQ(summary->tablespaces, 2U);
  EXPECT_EQ(TablespaceFacts::decode(store_[TablespaceKey{16400}])->location,
            data_.outside("space").string());
  EXPECT_EQ(TablespaceFacts::decode(store_[TablespaceKey{16401}])->location, "");
  EXPECT_EQ(blocks({{{16400, 5}, 400}, RelationFork::kMain}), 1U);
  EXPECT_EQ(blocks({{{16401, 5}, 401}, RelationFork::kMain}), 1U);
  const DatabaseDirectoryKey directory{{16400, 5}};
  EXPECT_FALSE(DatabaseDirectoryFacts::decode(store_[directory])->has_version_file);
}

TEST_F(Import, ADamagedPageIsNamed) {
  std::string pages = test_pages(2);
  pages[8192 + 5000] ^= 1;
  data_.write("base/5/16384", pages);
  EXPECT_THAT(refusal(ErrorCode::kCorrupted),
              AllOf(HasSubstr("relation 1663/5/16384 main block 1"), HasSubstr("base/5/16384"),
                    HasSubstr("checksum")));
  EXPECT_TRUE(run({.verify_checksums = false, .stop = {}}).ok());
}

TEST_F(Import, APageFromTheFutureIsRefused) {
  Bytes page(8192);
  std::ranges::copy(as_bytes(test_page(0)), page.begin());
  store_little(&page[4], uint32_t{0x176ACC8});
  set_page_checksum(page, 0);
  data_.write("base/5/16384", as_text(page));
  EXPECT_THAT(refusal(ErrorCode::kCorrupted), HasSubstr("0/176ACC8"));
}

TEST_F(Import, ATornFileIsNamed) {
  resize("base/5/16384", 8192 + 100);
  EXPECT_THAT(refusal(ErrorCode::kCorrupted), HasSubstr("base/5/16384"));
}

TEST_F(Import, AShortSegmentBeforeAnotherIsNamed) {
  data_.write("base/5/16384.1", test_pages(1));
  EXPECT_THAT(refusal(ErrorCode::kCorrupted), HasSubstr("base/5/16384.1"));
  // Truncation leaves empty segments behind.
  resize("base/5/16384.1", 0);
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(blocks(fork(16384)), 2U);
}

TEST_F(Import, AMissingSegmentIsNoticed) {
  data_.write("base/5/500.1", test_pages(1));
  EXPECT_THAT(refusal(ErrorCode::kCorrupted), HasSubstr("base/5/500.1"));
}

TEST_F(Import, AnOverlongSegmentIsRefused) {
  resize("base/5/16384", kSegmentBytes + kBlockSize);
  EXPECT_THAT(refusal(ErrorCode::kCorrupted), HasSubstr("base/5/16384"));
}

TEST_F(Import, CountsBlocksThroughSegments) {
  // Sparse, so that a gigabyte of new pages costs nothing; discarded, so that it fits into memory.
  resize("base/5/16384", kSegmentBytes);
  Bytes page(8192);
  std::ranges::copy(as_bytes(test_page(0)), page.begin());
  set_page_checksum(page, kBlocksPerSegment);
  data_.write("base/5/16384.1", as_text(page));

  class LastBlock : public VersionSink {
   public:
    Result<> put_image(const Key& key, ByteView image) override {
      if (relation_blocks_of(fork(16384).relation).contains(key)) {
        key_ = key;
        image_.assign(image.begin(), image.end());
      }
      return {};
    }
    Key key_;
    Bytes image_;
  };
  LastBlock sink;
  const auto source = DataDirectory::open(data_.path());
  ASSERT_TRUE(source.ok());
  const auto summary = import_data_directory(*source, sink);
  ASSERT_TRUE(summary.ok()) << summary.error().message();
  EXPECT_EQ(describe(sink.key_), "relation 1663/5/16384 main block 131072");
  EXPECT_EQ(sink.image_, page);
}

TEST_F(Import, DamagedMapsAndTwoPhaseFilesAreNamed) {
  std::string map = test_relation_map();
  map[20] ^= 1;
  data_.write("base/5/pg_filenode.map", map);
  EXPECT_THAT(refusal(ErrorCode::kCorrupted), HasSubstr("base/5/pg_filenode.map"));
  data_.write("base/5/pg_filenode.map", test_relation_map());

  std::string state(as_text(two_phase_file()));
  state[50] ^= 1;
  data_.write("pg_twophase/000002D5", state);
  EXPECT_THAT(refusal(ErrorCode::kCorrupted), HasSubstr("pg_twophase/000002D5"));
}

TEST_F(Import, ATornSlruSegmentIsNamed) {
  resize("pg_xact/0000", 100);
  EXPECT_THAT(refusal(ErrorCode::kCorrupted), HasSubstr("pg_xact/0000"));
}

TEST_F(Import, ADatabaseOfAnotherVersionIsNamed) {
  data_.write("base/5/PG_VERSION", "14\n");
  EXPECT_THAT(refusal(ErrorCode::kInvalidArgument),
              AllOf(HasSubstr("base/5/PG_VERSION"), HasSubstr("PostgreSQL 14")));
}

TEST_F(Import, AnUnreadableFileIsNamed) {
  data_.let_everyone_read();
  filesystem::permissions(data_ / "base/5/16384", filesystem::perms::none);
  const Unprivileged unprivileged;
  EXPECT_THAT(refusal(ErrorCode::kDenied), HasSubstr("base/5/16384"));
}

TEST_F(Import, AnUnreadableDirectoryIsNamed) {
  data_.let_everyone_read();
  filesystem::permissions(data_ / "pg_xact", filesystem::perms::none);
  {
    const Unprivileged unprivileged;
    EXPECT_THAT(refusal(ErrorCode::kDenied), HasSubstr("pg_xact"));
  }
  // So that it can be removed.
  filesystem::permissions(data_ / "pg_xact", filesystem::perms::owner_all);
}

TEST_F(Import, StopsWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THAT(refusal(ErrorCode::kCancelled, {.verify_checksums = true, .stop = stop.get_token()}),
              HasSubstr("stopped"));
}

// A sink that lets a test change the source in the middle of an import.
class MeddlingSink : public VersionSink {
 public:
  MeddlingSink(Key at, std::function<void()> meddle) : at_(at), meddle_(std::move(meddle)) {}
  Result<> put_image(const Key& key, ByteView) override {
    if (key == at_) meddle_();
    return {};
  }

 private:
  Key at_;
  std::function<void()> meddle_;
};

TEST_F(Import, AFileThatChangesMeanwhileIsNamed) {
  MeddlingSink sink(make_key(RelationBlockKey{fork(16384), 0}), [this] {
    filesystem::last_write_time(data_ / "base/5/16384", filesystem::file_time_type::min());
  });
  const auto source = DataDirectory::open(data_.path());
  ASSERT_TRUE(source.ok());
  const auto result = import_data_directory(*source, sink);
  ASSERT_TRUE(result.failed_with(ErrorCode::kConflict));
  EXPECT_THAT(result.error().message(), HasSubstr("base/5/16384"));
}

TEST_F(Import, AFileThatGrowsOrShrinksMeanwhileIsNamed) {
  for (const uint64_t size : {0U, 8192U, 3 * 8192U}) {
    resize("base/5/16384", 2 * 8192);
    data_.write("base/5/16384", test_pages(2));
    MeddlingSink sink(make_key(RelationSizeKey{fork(16384)}),
                      [this, size] { resize("base/5/16384", size); });
    const auto source = DataDirectory::open(data_.path());
    ASSERT_TRUE(source.ok());
    const auto result = import_data_directory(*source, sink);
    ASSERT_TRUE(result.failed_with(ErrorCode::kConflict)) << size;
    EXPECT_THAT(result.error().message(), HasSubstr("base/5/16384"));
  }
}

TEST_F(Import, AServerThatStartsMeanwhileIsNoticed) {
  MeddlingSink sink(make_key(RelationBlockKey{fork(16384), 0}),
                    [this] { data_.write("postmaster.pid", fmt::format("{}\n", getpid())); });
  const auto source = DataDirectory::open(data_.path());
  ASSERT_TRUE(source.ok());
  EXPECT_TRUE(import_data_directory(*source, sink).failed_with(ErrorCode::kConflict));
}

TEST_F(Import, AFailingSinkEndsIt) {
  class FullSink : public VersionSink {
    Result<> put_image(const Key&, ByteView) override {
      return make_error(ErrorCode::kExhausted, "the disk is full");
    }
  };
  FullSink sink;
  const auto source = DataDirectory::open(data_.path());
  ASSERT_TRUE(source.ok());
  EXPECT_TRUE(import_data_directory(*source, sink).failed_with(ErrorCode::kExhausted));
}

TEST_F(Import, ReportsProgressUpToTheEnd) {
  data_.write("base/5/600", std::string(3U << 20, '\0'));
  const auto source = DataDirectory::open(data_.path());
  ASSERT_TRUE(source.ok());
  std::vector<Progress> reports;
  const auto summary = import_data_directory(
      *source, store_, {}, [&reports](const Progress& progress) { reports.push_back(progress); });
  ASSERT_TRUE(summary.ok());
  ASSERT_GE(reports.size(), 3U);
  EXPECT_EQ(reports.back().bytes_done, reports.back().bytes_total);
  for (const Progress& progress : reports) EXPECT_LE(progress.bytes_done, progress.bytes_total);
}

// What may stand in files that were read while the server wrote to them.
TEST_F(Import, FilesOfABaseBackupMayBeOfDifferentMoments) {
  std::string torn = test_page(1);
  torn.replace(12, 4, std::string(4, '\xFF'));
  data_.write("base/5/16384", test_page(0) + torn + test_page(2).substr(0, 4096));
  data_.write("base/5/16384.1", test_pages(1));
  data_.write("pg_twophase/000002D6", "only begun");
  data_.write("pg_xact/0000", std::string(8192 + 512, '\x55'));
  data_.write("backup_label", "START WAL LOCATION: 0/1000028");
  data_.write("pg_tblspc/16500/PG_15_202209061/5/16501", test_pages(3));
  ASSERT_FALSE(run().ok());

  store_ = {};
  const auto source = DataDirectory::open_backup(
      data_.path(),
      {.start = Lsn{0x1000028}, .mode = 0750, .tablespaces = {{16500, "/disks/fast"}}});
  ASSERT_TRUE(source.ok()) << source.error().message();
  const auto summary = import_data_directory(*source, store_);
  ASSERT_TRUE(summary.ok()) << summary.error().message();
  EXPECT_EQ(summary->image_lsn, Lsn{0x1000028});
  EXPECT_EQ(summary->last_record_lsn, Lsn{0x1000028});
  EXPECT_EQ(blocks(fork(16384)), 2U);
  EXPECT_EQ(as_text(store_[RelationBlockKey{fork(16384), 1}]), torn);
  EXPECT_TRUE(store_.has(TwoPhaseFileKey{0x2D5}));
  EXPECT_FALSE(store_.has(TwoPhaseFileKey{0x2D6}));
  EXPECT_FALSE(has_auxiliary("backup_label"));
  EXPECT_EQ(TablespaceFacts::decode(store_[TablespaceKey{16500}])->location, "/disks/fast");
  EXPECT_EQ(DataDirectoryFacts::decode(store_[DataDirectoryKey{}])->mode, 0750U);
}

}  // namespace
}  // namespace varve
