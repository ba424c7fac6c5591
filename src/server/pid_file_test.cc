#include "server/pid_file.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "fs/directory.h"
#include "fs/temporary_directory.h"
#include "server/work_directory.h"

namespace varve {
namespace {

class PidFileTest : public testing::Test {
 protected:
  const PidFile file_{.pid = 42,
                      .url = "http://127.0.0.1:9898",
                      .token_file = "/etc/\"token\"",
                      .remote = "file:///backup"};
  TemporaryDirectory directory_ = *TemporaryDirectory::create();
};

TEST_F(PidFileTest, IsReadAsItWasWrittenUntilItIsRemoved) {
  ASSERT_TRUE(file_.write(directory_.path()).ok());
  const auto again = PidFile::read(directory_.path());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, file_);
  ASSERT_TRUE(PidFile::remove(directory_.path()).ok());
  EXPECT_TRUE(PidFile::read(directory_.path()).failed_with(ErrorCode::kNotFound));
  EXPECT_TRUE(PidFile::remove(directory_.path()).ok());
}

TEST_F(PidFileTest, WhatDoesNotNameAServerIsRefused) {
  for (const char* text : {"", "42", "[]", "{}", "{\"pid\": 42}", "{\"url\": \"u\"}",
                           "{\"pid\": \"42\", \"url\": \"u\"}", "{\"pid\": 0, \"url\": \"u\"}",
                           "{\"pid\": 42, \"url\": 1}"}) {
    ASSERT_TRUE(write_file_atomically(PidFile::path(directory_.path()), as_bytes(text)).ok());
    EXPECT_TRUE(PidFile::read(directory_.path()).failed_with(ErrorCode::kCorrupted)) << text;
  }
}

TEST_F(PidFileTest, OneThatWasLeftIsGoneOnceSomebodyHasTheWorkDirectory) {
  const auto work = directory_.path() / "work";
  ASSERT_TRUE(WorkDirectory::init(work, {}).ok());
  ASSERT_TRUE(file_.write(work).ok());
  const auto held = WorkDirectory::open(work);
  ASSERT_TRUE(held.ok());
  EXPECT_TRUE(PidFile::read(work).failed_with(ErrorCode::kNotFound));
}

}  // namespace
}  // namespace varve
