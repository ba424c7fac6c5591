#include "fs/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "fs/temporary_directory.h"

namespace varve {
namespace {

class FileTest : public ::testing::Test {
 protected:
  TemporaryDirectory directory_ = TemporaryDirectory::create().value();
  File file_ = File::open(directory_ / "file", O_RDWR | O_CREAT).value();
};

TEST_F(FileTest, ReadsWhatWasWrittenAtAnyOffset) {
  ASSERT_TRUE(file_.append(as_bytes("0123")).ok());
  ASSERT_TRUE(file_.append(as_bytes("456789")).ok());
  ASSERT_TRUE(file_.write_at(2, as_bytes("xy")).ok());
  ASSERT_TRUE(file_.sync().ok());
  EXPECT_EQ(file_.size().value(), 10U);

  Bytes out(4);
  EXPECT_EQ(file_.read_at(1, out).value(), 4U);
  EXPECT_EQ(as_text(out), "1xy4");
  ASSERT_TRUE(file_.read_exactly_at(6, out).ok());
  EXPECT_EQ(as_text(out), "6789");
}

TEST_F(FileTest, AScratchFileHasNoNameAndCanBeUsed) {
  const auto path = directory_ / "scratch";
  auto scratch = File::open_scratch(path).value();
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(scratch.path(), path);
  ASSERT_TRUE(scratch.append(as_bytes("abc")).ok());
  Bytes out(3);
  ASSERT_TRUE(scratch.read_exactly_at(0, out).ok());
  EXPECT_EQ(as_text(out), "abc");
}

TEST_F(FileTest, AReadBeyondTheEndIsShortAndAnExactOneIsAnError) {
  ASSERT_TRUE(file_.append(as_bytes("abc")).ok());
  Bytes out(4);
  EXPECT_EQ(file_.read_at(1, out).value(), 2U);
  EXPECT_EQ(file_.read_at(3, out).value(), 0U);
  EXPECT_EQ(file_.read_at(100, out).value(), 0U);
  const auto failed = file_.read_exactly_at(1, out);
  ASSERT_TRUE(failed.failed_with(ErrorCode::kCorrupted));
  EXPECT_NE(failed.error().message().find((directory_ / "file").string()), std::string::npos);
}

TEST_F(FileTest, AWriteBeyondTheEndLeavesZerosBetween) {
  ASSERT_TRUE(file_.write_at(3, as_bytes("x")).ok());
  Bytes out(4, 0xFF);
  ASSERT_TRUE(file_.read_exactly_at(0, out).ok());
  EXPECT_EQ(out, (Bytes{0, 0, 0, 'x'}));
}

TEST_F(FileTest, AnErrorNamesThePath) {
  const auto absent = File::open(directory_ / "absent", O_RDONLY);
  ASSERT_TRUE(absent.failed_with(ErrorCode::kNotFound));
  EXPECT_NE(absent.error().message().find((directory_ / "absent").string()), std::string::npos);
  const auto read_only = File::open(directory_ / "file", O_RDONLY);
  ASSERT_TRUE(read_only.ok());
  File writer = File::open(directory_ / "file", O_RDONLY).value();
  EXPECT_FALSE(writer.append(as_bytes("x")).ok());
}

TEST_F(FileTest, AMovedFileKeepsItsDescriptorOpenOnce) {
  const int descriptor = file_.descriptor();
  {
    const File moved = std::move(file_);
    EXPECT_EQ(moved.descriptor(), descriptor);
    EXPECT_GE(fcntl(descriptor, F_GETFD), 0);
    EXPECT_TRUE((fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
  }
  EXPECT_LT(fcntl(descriptor, F_GETFD), 0);
}

}  // namespace
}  // namespace varve
