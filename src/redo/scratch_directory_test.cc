#include "redo/scratch_directory.h"

#include <sys/stat.h>

#include "redo/test_support/redo_environment.h"

namespace varve {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class ScratchDirectoryTest : public testing::Test {
 protected:
  ScratchDirectoryTest() {
    EXPECT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
    EXPECT_EQ(::chmod(temporary_.path().c_str(), 0755), 0);
    ::setenv("TMPDIR", temporary_.path().c_str(), 1);
    options_.scratch_parent = folder_ / "scratch";
  }
  ~ScratchDirectoryTest() override {
    if (before_) {
      ::setenv("TMPDIR", before_->c_str(), 1);
    } else {
      ::unsetenv("TMPDIR");
    }
  }

  // As redo processes get them: as root they are of somebody else.
  ScratchDirectory create() {
    std::optional<SystemUser> owner;
    if (::geteuid() == 0) owner = *find_system_user(options_.user);
    return *ScratchDirectory::create(options_, owner);
  }
  static std::vector<std::string> names(const std::filesystem::path& directory) {
    std::vector<std::string> names;
    const auto entries = list_directory(directory);
    for (const DirectoryEntry& entry : *entries) names.push_back(entry.name);
    return names;
  }

  const std::optional<std::string> before_ = std::getenv("TMPDIR") != nullptr
                                                 ? std::optional<std::string>(std::getenv("TMPDIR"))
                                                 : std::nullopt;
  TemporaryDirectory folder_ = *TemporaryDirectory::create("varve-test-");
  TemporaryDirectory temporary_ = *TemporaryDirectory::create("varve-test-");
  RedoProcessOptions options_ = test_process_options();
};

TEST_F(ScratchDirectoryTest, LiesWhereItIsWantedAndIsRemoved) {
  {
    const ScratchDirectory scratch = create();
    EXPECT_EQ(scratch.path().parent_path(), options_.scratch_parent);
    EXPECT_TRUE(std::filesystem::exists(scratch.library()));
  }
  EXPECT_THAT(names(options_.scratch_parent), IsEmpty());
  EXPECT_THAT(names(temporary_.path()), IsEmpty());
}

TEST_F(ScratchDirectoryTest, LiesAmongTemporaryFilesWhereNoPlaceIsNamedOrItCannotBeMade) {
  for (const char* const parent : {"", "/proc/scratch"}) {
    options_.scratch_parent = parent;
    EXPECT_EQ(create().path().parent_path(), temporary_.path());
  }
}

// A work directory of root is closed to the user that PostgreSQL runs as.
TEST_F(ScratchDirectoryTest, LiesAmongTemporaryFilesWhereItsOwnerCannotReachTheWantedPlace) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root becomes another user";
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0700), 0);
  EXPECT_EQ(create().path().parent_path(), temporary_.path());
}

TEST_F(ScratchDirectoryTest, WhatAKilledProcessLeftIsRemovedAndNothingElse) {
  const ScratchDirectory used = create();
  const auto parent = options_.scratch_parent;
  std::filesystem::create_directory(parent / "varve-redo-killed");
  std::ofstream(parent / "varve-redo-killed" / "PG_VERSION") << "15\n";
  std::filesystem::create_directory(parent / "varve-redoubt");
  std::ofstream(parent / "varve-redo-file") << "somebody's";
  std::filesystem::create_directory_symlink(folder_.path(), parent / "varve-redo-link");
  const ScratchDirectory next = create();
  EXPECT_THAT(names(parent), testing::UnorderedElementsAre(
                                 used.path().filename().string(), next.path().filename().string(),
                                 "varve-redoubt", "varve-redo-file", "varve-redo-link"));
}

TEST_F(ScratchDirectoryTest, WhatIsOfAnotherUserIsLeft) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  const auto path = options_.scratch_parent / "varve-redo-other";
  std::filesystem::create_directories(path);
  ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
  const ScratchDirectory scratch = create();
  EXPECT_TRUE(std::filesystem::exists(path));
}

// Nobody takes one away that is just being made.
TEST_F(ScratchDirectoryTest, ManyAreMadeAtOnce) {
  std::vector<std::jthread> threads;
  std::atomic<int> whole = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 20; ++j) {
        const ScratchDirectory scratch = create();
        if (std::filesystem::exists(scratch.library())) ++whole;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(whole, 80);
  EXPECT_THAT(names(options_.scratch_parent), SizeIs(0));
}

}  // namespace
}  // namespace varve
