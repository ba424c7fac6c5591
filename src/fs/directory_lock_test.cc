#include "fs/directory_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "fs/temporary_directory.h"

namespace varve {
namespace {

TEST(DirectoryLock, IsHeldOnceAndLetGoByItsDestructor) {
  const auto directory = TemporaryDirectory::create().value();
  {
    const auto lock = DirectoryLock::acquire(directory.path());
    ASSERT_TRUE(lock.ok());
    EXPECT_FALSE(lock->was_abandoned());
    EXPECT_TRUE(DirectoryLock::acquire(directory.path()).failed_with(ErrorCode::kConflict));
  }
  const auto next = DirectoryLock::acquire(directory.path());
  ASSERT_TRUE(next.ok());
  EXPECT_FALSE(next->was_abandoned());
}

TEST(DirectoryLock, OfADirectoryThatIsAbsentIsNotFound) {
  const auto directory = TemporaryDirectory::create().value();
  EXPECT_TRUE(DirectoryLock::acquire(directory / "absent").failed_with(ErrorCode::kNotFound));
}

// A child holds the lock until it is killed.
TEST(DirectoryLock, KeepsASecondProcessOutUntilTheFirstIsKilled) {
  const auto directory = TemporaryDirectory::create().value();
  int ready[2];
  ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto lock = DirectoryLock::acquire(directory.path());
    const char answer = lock.ok() ? 'y' : 'n';
    if (write(ready[1], &answer, 1) != 1) _exit(1);
    for (;;) pause();
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');

  const auto refused = DirectoryLock::acquire(directory.path());
  EXPECT_TRUE(refused.failed_with(ErrorCode::kConflict));
  if (!refused.ok()) {
    const std::string& message = refused.error().message();
    EXPECT_NE(message.find(fmt::format("(process {})", child)), std::string::npos) << message;
    EXPECT_NE(message.find(directory.path().string()), std::string::npos) << message;
  }

  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  const auto inherited = DirectoryLock::acquire(directory.path());
  ASSERT_TRUE(inherited.ok());
  EXPECT_TRUE(inherited->was_abandoned());
  close(ready[0]);
  close(ready[1]);
}

}  // namespace
}  // namespace varve
