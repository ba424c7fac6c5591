#include "ingest/data_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/test_support/small_data_directory.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Opens, and expects the refusal's code; returns its message.
std::string refusal(const std::filesystem::path& path, ErrorCode code) {
  const auto opened = DataDirectory::open(path);
  if (opened.ok()) return "it was opened";
  EXPECT_EQ(opened.code(), code) << opened.error().message();
  return opened.error().message();
}

Bytes control_file_in_state(uint32_t state) {
  Bytes file = stopped_control_file();
  store_little(&file[16], state);
  store_little(&file[288], crc32c(ByteView(file).first(288)));
  return file;
}

TEST(DataDirectory, OpensACleanlyStoppedCluster) {
  const SmallDataDirectory data;
  const auto opened = DataDirectory::open(data.path());
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  EXPECT_EQ(opened->control_file().system_identifier(), 7710731997825599511U);
  EXPECT_EQ(opened->mode(), 0700U);
}

TEST(DataDirectory, KeepsTheGroupsAccess) {
  const SmallDataDirectory data;
  std::filesystem::permissions(data.path(), std::filesystem::perms(0750));
  EXPECT_EQ(DataDirectory::open(data.path())->mode(), 0750U);
}

TEST(DataDirectory, RefusesWhatIsNoDataDirectory) {
  const SmallDataDirectory data;
  EXPECT_THAT(refusal(data / "missing", ErrorCode::kNotFound), HasSubstr("missing"));
  EXPECT_THAT(refusal(data / "postgresql.conf", ErrorCode::kInvalidArgument),
              HasSubstr("not a directory"));
  EXPECT_THAT(refusal(data / "pg_xact", ErrorCode::kInvalidArgument), HasSubstr("PG_VERSION"));
  std::filesystem::remove(data / "global/pg_control");
  EXPECT_THAT(refusal(data.path(), ErrorCode::kInvalidArgument), HasSubstr("pg_control"));
}

TEST(DataDirectory, RefusesOtherVersionsByName) {
  const SmallDataDirectory data;
  data.write("PG_VERSION", "16\n");
  EXPECT_THAT(refusal(data.path(), ErrorCode::kInvalidArgument), HasSubstr("PostgreSQL 16"));
}

TEST(DataDirectory, RefusesARunningServer) {
  const SmallDataDirectory data;
  data.write("postmaster.pid", fmt::format("{}\n/somewhere\n", getpid()));
  EXPECT_THAT(refusal(data.path(), ErrorCode::kConflict),
              AllOf(HasSubstr(std::to_string(getpid())), HasSubstr("pg_ctl stop")));
  // A stand-alone backend.
  data.write("postmaster.pid", fmt::format("-{}\n/somewhere\n", getpid()));
  EXPECT_THAT(refusal(data.path(), ErrorCode::kConflict), HasSubstr("seems to run"));
}

TEST(DataDirectory, RefusesWhatAServerLeftBehind) {
  const SmallDataDirectory data;
  // Above the largest number that Linux gives a process.
  data.write("postmaster.pid", "2000000000\n/somewhere\n");
  EXPECT_THAT(refusal(data.path(), ErrorCode::kConflict),
              AllOf(HasSubstr("did not stop cleanly"), HasSubstr("start the server")));
}

TEST(DataDirectory, RefusesStatesOtherThanShutDown) {
  const SmallDataDirectory data;
  data.write("global/pg_control", as_text(control_file_in_state(6)));
  EXPECT_THAT(refusal(data.path(), ErrorCode::kConflict),
              AllOf(HasSubstr("in production"), HasSubstr("pg_ctl stop -m fast")));
  data.write("global/pg_control", as_text(control_file_in_state(2)));
  EXPECT_THAT(refusal(data.path(), ErrorCode::kConflict), HasSubstr("standby"));
}

TEST(DataDirectory, RefusesABaseBackup) {
  const SmallDataDirectory data;
  data.write("backup_label", "START WAL LOCATION");
  EXPECT_THAT(refusal(data.path(), ErrorCode::kConflict), HasSubstr("base backup"));
}

TEST(DataDirectory, RefusesADamagedControlFile) {
  const SmallDataDirectory data;
  Bytes file = stopped_control_file();
  file[40] ^= 1;
  data.write("global/pg_control", as_text(file));
  EXPECT_THAT(refusal(data.path(), ErrorCode::kCorrupted), HasSubstr("global/pg_control"));
}

TEST(DataDirectory, NoticesAServerThatStarts) {
  const SmallDataDirectory data;
  const auto opened = DataDirectory::open(data.path());
  ASSERT_TRUE(opened.ok());
  EXPECT_TRUE(opened->check_unchanged().ok());
  data.write("global/pg_control", as_text(control_file_in_state(6)));
  EXPECT_TRUE(opened->check_unchanged().failed_with(ErrorCode::kConflict));
}

}  // namespace
}  // namespace varve
