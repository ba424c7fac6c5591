#include "storage_sync/kept_state.h"

#include <gtest/gtest.h>

#include <thread>

#include "fs/temporary_directory.h"

namespace varve {
namespace {

class KeptStateTest : public testing::Test {
 protected:
  static Result<> count_up(LocalManifest& local) {
    ++local.manifest.metadata.disk_consistent_lsn.value;
    return {};
  }
  uint64_t lsn() const { return kept.get()->manifest.metadata.disk_consistent_lsn.value; }
  uint64_t lsn_in_file() const {
    return LocalManifest::read(directory.path())->manifest.metadata.disk_consistent_lsn.value;
  }

  TemporaryDirectory directory = TemporaryDirectory::create().value();
  KeptTimeline kept{directory.path(), {}};
};

TEST_F(KeptStateTest, NoChangeUndoesAnotherAndTheFileEndsUpAsTheState) {
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) EXPECT_TRUE(kept.change(count_up).ok());
    });
  }
  threads.clear();
  EXPECT_EQ(lsn(), 100U);
  EXPECT_EQ(lsn_in_file(), 100U);
}

TEST_F(KeptStateTest, WhatWasReadStaysAsItWas) {
  const auto before = kept.get();
  ASSERT_TRUE(kept.change(count_up).ok());
  EXPECT_EQ(before->manifest.metadata.disk_consistent_lsn.value, 0U);
  EXPECT_EQ(lsn(), 1U);
}

TEST_F(KeptStateTest, AChangeThatIsRefusedOrCannotBeWrittenIsNone) {
  ASSERT_TRUE(kept.change(count_up).ok());
  EXPECT_TRUE(kept.change([](LocalManifest& local) -> Result<> {
                    std::ignore = count_up(local);
                    return make_error(ErrorCode::kConflict, "no");
                  })
                  .failed_with(ErrorCode::kConflict));
  EXPECT_EQ(lsn(), 1U);
  EXPECT_EQ(lsn_in_file(), 1U);
  std::filesystem::remove_all(directory.path());
  EXPECT_FALSE(kept.change(count_up).ok());
  EXPECT_EQ(lsn(), 1U);
}

}  // namespace
}  // namespace varve
