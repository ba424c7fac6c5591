#include "fs/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "fs/temporary_directory.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DirectoryTest : public ::testing::Test {
 protected:
  std::vector<std::string> names(const std::filesystem::path& path) {
    std::vector<std::string> found;
    const auto entries = list_directory(path).value();
    for (const auto& entry : entries) found.push_back(entry.name);
    return found;
  }
  std::string content(const std::filesystem::path& path) {
    return std::string(as_text(read_file(path).value()));
  }

  TemporaryDirectory directory_ = TemporaryDirectory::create().value();
};

TEST_F(DirectoryTest, AnAtomicWriteCreatesAndReplacesAndLeavesNothingElse) {
  const auto path = directory_ / "file";
  ASSERT_TRUE(write_file_atomically(path, as_bytes("first, longer")).ok());
  EXPECT_EQ(content(path), "first, longer");
  ASSERT_TRUE(write_file_atomically(path, as_bytes("second")).ok());
  EXPECT_EQ(content(path), "second");
  EXPECT_THAT(names(directory_.path()), ElementsAre("file"));
}

TEST_F(DirectoryTest, AnAtomicWriteTakesTheModeAndIsPrivateByDefault) {
  const auto mode_of = [](const std::filesystem::path& path) {
    struct stat status{};
    EXPECT_EQ(stat(path.c_str(), &status), 0);
    return status.st_mode & 0777;
  };
  ASSERT_TRUE(write_file_atomically(directory_ / "private", {}).ok());
  ASSERT_TRUE(write_file_atomically(directory_ / "read-only", {}, 0400).ok());
  EXPECT_EQ(mode_of(directory_ / "private"), 0600U);
  EXPECT_EQ(mode_of(directory_ / "read-only"), 0400U);
}

TEST_F(DirectoryTest, AnAtomicWriteOverALeftoverSucceeds) {
  ASSERT_TRUE(write_file_atomically(directory_ / "file.tmp", as_bytes("a longer leftover")).ok());
  ASSERT_TRUE(write_file_atomically(directory_ / "file", as_bytes("new")).ok());
  EXPECT_EQ(content(directory_ / "file"), "new");
  EXPECT_THAT(names(directory_.path()), ElementsAre("file"));
}

TEST_F(DirectoryTest, AnAtomicWriteThatFailsLeavesTheOldContentAndNoTemporaryFile) {
  std::filesystem::create_directories(directory_ / "taken" / "by");
  EXPECT_FALSE(write_file_atomically(directory_ / "taken", as_bytes("x")).ok());
  EXPECT_THAT(names(directory_.path()), ElementsAre("taken"));
  EXPECT_TRUE(write_file_atomically(directory_ / "absent/file", as_bytes("x"))
                  .failed_with(ErrorCode::kNotFound));
}

TEST_F(DirectoryTest, AFileLargerThanTheLimitIsNotRead) {
  ASSERT_TRUE(write_file_atomically(directory_ / "file", as_bytes("12345")).ok());
  EXPECT_TRUE(read_file(directory_ / "file", 5).ok());
  EXPECT_TRUE(read_file(directory_ / "file", 4).failed_with(ErrorCode::kExhausted));
  EXPECT_TRUE(read_file(directory_ / "absent").failed_with(ErrorCode::kNotFound));
}

TEST_F(DirectoryTest, ARenameReplaces) {
  ASSERT_TRUE(write_file_atomically(directory_ / "from", as_bytes("new")).ok());
  ASSERT_TRUE(write_file_atomically(directory_ / "to", as_bytes("old")).ok());
  ASSERT_TRUE(rename_durably(directory_ / "from", directory_ / "to").ok());
  EXPECT_EQ(content(directory_ / "to"), "new");
  EXPECT_TRUE(
      rename_durably(directory_ / "from", directory_ / "to").failed_with(ErrorCode::kNotFound));
}

TEST_F(DirectoryTest, DirectoriesAreCreatedWithThoseAbove) {
  const auto deep = directory_ / "a/b/c";
  ASSERT_TRUE(create_directories_durably(deep).ok());
  EXPECT_TRUE(std::filesystem::is_directory(deep));
  EXPECT_TRUE(create_directories_durably(deep).ok()) << "one that exists is fine";
  ASSERT_TRUE(write_file_atomically(directory_ / "file", {}).ok());
  EXPECT_TRUE(create_directories_durably(directory_ / "file").failed_with(ErrorCode::kConflict));
  EXPECT_FALSE(create_directories_durably(directory_ / "file/below").ok());
}

TEST_F(DirectoryTest, AListingIsSortedAndTellsTypesWithoutFollowingLinks) {
  std::filesystem::create_directory(directory_ / "b");
  ASSERT_TRUE(write_file_atomically(directory_ / "c", {}).ok());
  std::filesystem::create_symlink("b", directory_ / "a");
  const auto entries = list_directory(directory_.path()).value();
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_EQ(entries[0].type, std::filesystem::file_type::symlink);
  EXPECT_EQ(entries[1].type, std::filesystem::file_type::directory);
  EXPECT_EQ(entries[2].type, std::filesystem::file_type::regular);
  EXPECT_TRUE(list_directory(directory_ / "absent").failed_with(ErrorCode::kNotFound));
}

TEST_F(DirectoryTest, ExistenceIsThatOfTheNameItself) {
  std::filesystem::create_symlink("nowhere", directory_ / "link");
  EXPECT_TRUE(path_exists(directory_ / "link").value());
  EXPECT_FALSE(path_exists(directory_ / "absent").value());
  EXPECT_FALSE(path_exists(directory_ / "link/below").value());
  ASSERT_TRUE(write_file_atomically(directory_ / "file", {}).ok());
  EXPECT_FALSE(path_exists(directory_ / "file/below").value());
}

TEST_F(DirectoryTest, WhatIsAbsentCountsAsRemoved) {
  ASSERT_TRUE(write_file_atomically(directory_ / "file", {}).ok());
  EXPECT_TRUE(remove_file(directory_ / "file").ok());
  EXPECT_TRUE(remove_file(directory_ / "file").ok());
  EXPECT_FALSE(remove_file(directory_.path()).ok()) << "a directory is no file";

  ASSERT_TRUE(create_directories_durably(directory_ / "a/b").ok());
  ASSERT_TRUE(write_file_atomically(directory_ / "a/b/file", {}).ok());
  EXPECT_TRUE(remove_tree(directory_ / "a").ok());
  EXPECT_TRUE(remove_tree(directory_ / "a").ok());
  EXPECT_THAT(names(directory_.path()), IsEmpty());
}

TEST_F(DirectoryTest, RemovingATreeLeavesWhatLinksInItPointTo) {
  ASSERT_TRUE(create_directories_durably(directory_ / "kept").ok());
  ASSERT_TRUE(write_file_atomically(directory_ / "kept/file", {}).ok());
  ASSERT_TRUE(create_directories_durably(directory_ / "tree").ok());
  std::filesystem::create_directory_symlink(directory_ / "kept", directory_ / "tree/link");
  EXPECT_TRUE(remove_tree(directory_ / "tree").ok());
  EXPECT_TRUE(path_exists(directory_ / "kept/file").value());
}

TEST(FileStatus, TellsTheSizeAndTheTimeThatWasSet) {
  const TemporaryDirectory directory = TemporaryDirectory::create().value();
  const auto path = directory / "file";
  EXPECT_FALSE(file_status(path).value());
  EXPECT_TRUE(set_modified(path, {1}).failed_with(ErrorCode::kNotFound));
  ASSERT_TRUE(write_file_atomically(path, as_bytes("four")).ok());
  ASSERT_TRUE(set_modified(path, {1'700'000'000'123'456}).ok());
  const auto status = file_status(path).value();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->size, 4U);
  EXPECT_EQ(status->modified, Timestamp{1'700'000'000'123'456});
}

TEST(TemporaryDirectory, IsRemovedWithAllItHolds) {
  std::filesystem::path path;
  {
    auto directory = TemporaryDirectory::create().value();
    path = directory.path();
    ASSERT_TRUE(write_file_atomically(directory / "file", {}).ok());
    const TemporaryDirectory moved = std::move(directory);
    EXPECT_EQ(moved.path(), path);
    EXPECT_TRUE(path_exists(path).value());
  }
  EXPECT_FALSE(path_exists(path).value());
}

}  // namespace
}  // namespace varve
