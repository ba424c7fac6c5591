#include "remote_storage/local_fs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "fs/directory.h"
#include "fs/temporary_directory.h"
#include "remote_storage/streams.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LocalFsTest : public ::testing::Test {
 protected:
  std::unique_ptr<LocalFs> open() { return LocalFs::open(root()).value(); }
  std::filesystem::path root() const { return directory_ / "root"; }
  std::filesystem::path outside() const { return directory_ / "outside"; }

  void SetUp() override {
    std::filesystem::create_directory(root());
    std::filesystem::create_directory(outside());
    ASSERT_TRUE(write_file_atomically(outside() / "secret", as_bytes("secret")).ok());
    storage_ = open();
  }

  Result<> put(std::string_view key, std::string_view body = "body",
               PutCondition condition = PutCondition::kNone) {
    return storage_->put(key, as_bytes(body), condition, {});
  }
  Result<std::string> read(std::string_view key) {
    VARVE_ASSIGN(const Bytes bytes, get_bytes(*storage_, key, {}, 1 << 30, {}));
    return std::string(as_text(bytes));
  }
  std::vector<std::string> keys() {
    std::vector<std::string> found;
    const auto objects = list_all(*storage_, "", {}).value();
    for (const ObjectInfo& object : objects) found.push_back(object.key);
    return found;
  }
  size_t temporary_files() const {
    return list_directory(root() / ".varve-temporary").value().size();
  }

  TemporaryDirectory directory_ = TemporaryDirectory::create().value();
  std::unique_ptr<LocalFs> storage_;
};

// What a child process did: its exit status, or -1 when a signal ended it.
int run_in_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr int kSkipped = 77;

TEST_F(LocalFsTest, ARootThatDoesNotExistIsNotFoundWithARemedy) {
  const auto absent = LocalFs::open(directory_ / "absent");
  ASSERT_TRUE(absent.failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(absent.error().message(), HasSubstr("mounted"));
  EXPECT_THAT(absent.error().message(), HasSubstr((directory_ / "absent").string()));
  EXPECT_FALSE(path_exists(directory_ / "absent").value()) << "opening creates nothing";
}

TEST_F(LocalFsTest, ARootThatIsAFileIsRefused) {
  EXPECT_TRUE(LocalFs::open(outside() / "secret").failed_with(ErrorCode::kInvalidArgument));
}

TEST_F(LocalFsTest, OpeningAnEmptyRootWritesNothing) {
  EXPECT_THAT(list_directory(root()).value(), IsEmpty());
}

TEST_F(LocalFsTest, W1_ARootThatMayNotBeWrittenIsDeniedUnlessItIsOnlyRead) {
  ASSERT_TRUE(put("key").ok());
  // Readable by everyone, so that a child without privileges can read it.
  for (const auto& path : {directory_.path(), root()}) ASSERT_EQ(chmod(path.c_str(), 0555), 0);
  ASSERT_EQ(chmod((root() / "key").c_str(), 0444), 0);
  const int outcome = run_in_child([&] {
    constexpr uid_t kNobody = 65534;
    if (geteuid() == 0 && (setgid(kNobody) != 0 || setuid(kNobody) != 0)) return kSkipped;
    const auto writing = LocalFs::open(root());
    if (!writing.failed_with(ErrorCode::kDenied)) return 1;
    const auto reading = LocalFs::open(root(), {.access = LocalFs::Access::kRead});
    if (!reading.ok()) return 2;
    if (!get_bytes(**reading, "key", {}, 10, {}).ok()) return 3;
    const auto put = (*reading)->put("new", {}, PutCondition::kNone, {});
    return put.failed_with(ErrorCode::kDenied) ? 0 : 4;
  });
  for (const auto& path : {directory_.path(), root()}) ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  EXPECT_EQ(outcome, 0);
}

// Runs with a tmpfs of 1 MiB at `at`, in a mount namespace of its own.
int run_with_small_disk(const std::filesystem::path& at, unsigned long flags,
                        const std::function<int()>& body) {
  return run_in_child([&] {
    const int namespaces = geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER;
    if (unshare(namespaces) != 0) return kSkipped;
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return kSkipped;
    if (mount("tmpfs", at.c_str(), "tmpfs", flags, "size=1m") != 0) return kSkipped;
    return body();
  });
}

TEST_F(LocalFsTest, W1_AFullDiskIsExhaustedAndNamesThePath) {
  const int outcome = run_with_small_disk(root(), 0, [&] {
    const auto storage = LocalFs::open(root());
    if (!storage.ok()) return 1;
    const Bytes large(2 << 20, 'x');
    const auto put = (*storage)->put("large", large, PutCondition::kIfAbsent, {});
    if (!put.failed_with(ErrorCode::kExhausted)) return 2;
    if (put.error().message().find(root().string()) == std::string::npos) return 3;
    // The room that the failed attempt took is free again.
    const Bytes fitting(700 << 10, 'x');
    return (*storage)->put("fitting", fitting, PutCondition::kIfAbsent, {}).ok() ? 0 : 4;
  });
  if (outcome == kSkipped) GTEST_SKIP() << "mounting a file system is not allowed here";
  EXPECT_EQ(outcome, 0);
}

TEST_F(LocalFsTest, W1_AReadOnlyFileSystemIsDenied) {
  const int outcome = run_with_small_disk(root(), MS_RDONLY, [&] {
    return LocalFs::open(root()).failed_with(ErrorCode::kDenied) ? 0 : 1;
  });
  if (outcome == kSkipped) GTEST_SKIP() << "mounting a file system is not allowed here";
  EXPECT_EQ(outcome, 0);
}

TEST_F(LocalFsTest, ARootThatWasRemovedIsUnavailableAndNotEmpty) {
  ASSERT_TRUE(put("key").ok());
  ASSERT_TRUE(remove_tree(root()).ok());
  EXPECT_TRUE(storage_->list("", "", {}).failed_with(ErrorCode::kUnavailable));
  EXPECT_TRUE(storage_->head("key", {}).failed_with(ErrorCode::kUnavailable));
  EXPECT_TRUE(read("key").failed_with(ErrorCode::kUnavailable));
  EXPECT_TRUE(storage_->remove({"key"}, {}).failed_with(ErrorCode::kUnavailable));
  EXPECT_TRUE(put("new").failed_with(ErrorCode::kUnavailable));
  EXPECT_FALSE(storage_->start_multipart("new", 10, {}).ok());
}

TEST_F(LocalFsTest, S2_AnObjectIsAPlainFileAtItsKey) {
  ASSERT_TRUE(put("tenants/a/object", "content").ok());
  EXPECT_EQ(as_text(read_file(root() / "tenants/a/object").value()), "content");
  EXPECT_EQ(temporary_files(), 0U);
}

TEST_F(LocalFsTest, S2_TemporaryFilesAreNeverListedNorReachable) {
  ASSERT_TRUE(put("key").ok());
  ASSERT_TRUE(write_file_atomically(root() / ".varve-temporary/left", as_bytes("half")).ok());
  EXPECT_THAT(keys(), ElementsAre("key"));
  EXPECT_THAT(storage_->list(".varve-temporary/", "", {})->objects, IsEmpty());
  EXPECT_TRUE(put(".varve-temporary/left").failed_with(ErrorCode::kInvalidArgument));
  EXPECT_TRUE(put(".varve-temporary").failed_with(ErrorCode::kInvalidArgument));
  EXPECT_TRUE(read(".varve-temporary/left").failed_with(ErrorCode::kInvalidArgument));
  EXPECT_TRUE(
      storage_->remove({".varve-temporary/left"}, {}).failed_with(ErrorCode::kInvalidArgument));
  // Only that name, and only at the top.
  EXPECT_TRUE(put(".varve-temporary-not").ok());
  EXPECT_TRUE(put("a/.varve-temporary/x").ok());
  EXPECT_THAT(keys(), ElementsAre(".varve-temporary-not", "a/.varve-temporary/x", "key"));
}

TEST_F(LocalFsTest, S2_LeftoversOfACrashAreRemovedWhenItIsOpenedAgain) {
  ASSERT_TRUE(put("key").ok());
  ASSERT_TRUE(write_file_atomically(root() / ".varve-temporary/left", as_bytes("half")).ok());
  storage_ = LocalFs::open(root(), {.access = LocalFs::Access::kRead}).value();
  EXPECT_EQ(temporary_files(), 1U) << "a reader removes nothing";
  storage_ = open();
  EXPECT_EQ(temporary_files(), 0U);
  EXPECT_THAT(keys(), ElementsAre("key"));
}

TEST_F(LocalFsTest, S2_WhatAnotherIsWritingIsNoLeftover) {
  const auto upload = storage_->start_multipart("pack", 4, {}).value();
  ASSERT_TRUE(upload->upload_part(0, as_bytes("data"), {}).ok());
  const int outcome = run_in_child([&] { return LocalFs::open(root()).ok() ? 0 : 1; });
  EXPECT_EQ(outcome, 0);
  EXPECT_EQ(temporary_files(), 2U);
  ASSERT_TRUE(upload->complete(1, {}).ok());
  EXPECT_EQ(read("pack").value(), "data");
}

TEST_F(LocalFsTest, S2_AnUploadWhoseSenderDiedIsRemovedWithItsMark) {
  const int outcome = run_in_child([&] {
    return storage_->start_multipart("pack", 4, {}).value().release() != nullptr ? 0 : 1;
  });
  ASSERT_EQ(outcome, 0);
  // The child left without ending its upload.
  EXPECT_EQ(temporary_files(), 2U);
  storage_ = open();
  EXPECT_EQ(temporary_files(), 0U);
}

TEST_F(LocalFsTest, B1_AnUploadThatIsBeingSentIsNotAborted) {
  const auto upload = storage_->start_multipart("pack", 4, {}).value();
  std::string upload_id;
  const auto entries = list_directory(root() / ".varve-temporary").value();
  for (const auto& entry : entries) {
    if (!entry.name.ends_with(".key")) upload_id = entry.name;
  }
  EXPECT_TRUE(storage_->abort_upload("pack", upload_id, {}).failed_with(ErrorCode::kConflict));
  ASSERT_TRUE(upload->upload_part(0, as_bytes("data"), {}).ok());
  ASSERT_TRUE(upload->complete(1, {}).ok());
  EXPECT_EQ(read("pack").value(), "data");
  EXPECT_EQ(temporary_files(), 0U);
}

TEST_F(LocalFsTest, S2_AnUploadIdReachesNothingButUploads) {
  ASSERT_TRUE(put("pack").ok());
  for (const std::string_view id : {"../pack", "../../outside/secret", "", "0123456789ABCDEF"}) {
    EXPECT_TRUE(storage_->abort_upload("pack", id, {}).failed_with(ErrorCode::kInvalidArgument));
  }
  EXPECT_EQ(read("pack").value(), "body");
}

TEST_F(LocalFsTest, S2_AMarkWithoutAKeyIsNoUpload) {
  ASSERT_TRUE(put("key").ok());
  const auto temporary = root() / ".varve-temporary";
  for (const std::string_view content : {"", "../escape", "/"}) {
    ASSERT_TRUE(write_file_atomically(temporary / "0123456789abcdef", as_bytes("x")).ok());
    ASSERT_TRUE(write_file_atomically(temporary / "0123456789abcdef.key", as_bytes(content)).ok());
    EXPECT_THAT(storage_->list_uploads("", "", {})->uploads, IsEmpty());
  }
  storage_ = open();
  EXPECT_EQ(temporary_files(), 0U);
}

TEST_F(LocalFsTest, S2_ASymbolicLinkOutOfTheRootIsNotFollowed) {
  std::filesystem::create_symlink(outside(), root() / "directory");
  std::filesystem::create_symlink(outside() / "secret", root() / "file");
  std::filesystem::create_symlink(outside() / "nothing", root() / "dangling");
  ASSERT_TRUE(put("key").ok());

  EXPECT_THAT(keys(), ElementsAre("key"));
  EXPECT_THAT(storage_->list("directory/", "", {})->objects, IsEmpty());
  EXPECT_TRUE(read("directory/secret").failed_with(ErrorCode::kDenied));
  EXPECT_TRUE(read("file").failed_with(ErrorCode::kDenied));
  EXPECT_TRUE(storage_->head("file", {}).failed_with(ErrorCode::kDenied));
  EXPECT_TRUE(put("directory/new").failed_with(ErrorCode::kDenied));
  EXPECT_TRUE(put("directory/deeper/new").failed_with(ErrorCode::kDenied));
  EXPECT_TRUE(put("dangling", "x", PutCondition::kIfAbsent).failed_with(ErrorCode::kConflict));
  const auto failed = storage_->remove({"directory/secret", "file"}, {}).value();
  ASSERT_EQ(failed.size(), 2U);
  EXPECT_EQ(failed[0].error.code(), ErrorCode::kDenied);
  EXPECT_EQ(failed[1].error.code(), ErrorCode::kDenied);

  // A replacement takes the link's place and leaves alone what it points to.
  EXPECT_TRUE(put("file", "mine").ok());
  EXPECT_EQ(as_text(read_file(outside() / "secret").value()), "secret");
  EXPECT_EQ(list_directory(outside()).value().size(), 1U);
}

TEST_F(LocalFsTest, S2_ALinkInPlaceOfTheTemporaryDirectoryIsNotFollowed) {
  std::filesystem::create_symlink(outside(), root() / ".varve-temporary");
  EXPECT_TRUE(put("key").failed_with(ErrorCode::kDenied));
  EXPECT_TRUE(LocalFs::open(root()).failed_with(ErrorCode::kDenied));
  EXPECT_EQ(list_directory(outside()).value().size(), 1U);
}

TEST_F(LocalFsTest, W2_APipeInTheRootBlocksNobody) {
  ASSERT_EQ(mkfifo((root() / "pipe").c_str(), 0600), 0);
  EXPECT_TRUE(read("pipe").failed_with(ErrorCode::kDenied));
  EXPECT_THAT(keys(), IsEmpty());
}

TEST_F(LocalFsTest, FilesWhosePathIsNoKeyAreNotListed) {
  ASSERT_TRUE(write_file_atomically(root() / "bad\xFFname", {}).ok());
  std::filesystem::create_directory(root() / "bad\xFF");
  ASSERT_TRUE(write_file_atomically(root() / "bad\xFF" / "file", {}).ok());
  ASSERT_TRUE(put("key").ok());
  EXPECT_THAT(keys(), ElementsAre("key"));
}

TEST_F(LocalFsTest, ADirectoryThatMayNotBeReadFailsTheListing) {
  ASSERT_TRUE(put("a/key").ok());
  for (const auto& path : {directory_.path(), root()}) ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  ASSERT_EQ(chmod((root() / "a").c_str(), 0700), 0);
  const int outcome = run_in_child([&] {
    constexpr uid_t kNobody = 65534;
    if (geteuid() != 0 || setgid(kNobody) != 0 || setuid(kNobody) != 0) return kSkipped;
    const auto storage = LocalFs::open(root(), {.access = LocalFs::Access::kRead});
    if (!storage.ok()) return 1;
    return (*storage)->list("", "", {}).failed_with(ErrorCode::kDenied) ? 0 : 2;
  });
  if (outcome == kSkipped) GTEST_SKIP() << "only root can become another user";
  EXPECT_EQ(outcome, 0);
}

TEST_F(LocalFsTest, DeadlinesAreJudgedByTheInjectedClock) {
  ManualClock clock;
  storage_ = LocalFs::open(root(), {.clock = &clock}).value();
  const CallOptions options{.deadline = Deadline::after(std::chrono::seconds(1), clock)};
  EXPECT_TRUE(storage_->put("key", {}, PutCondition::kNone, options).ok());
  clock.advance(std::chrono::seconds(1));
  EXPECT_TRUE(storage_->head("key", options).failed_with(ErrorCode::kCancelled));
  EXPECT_EQ(storage_->list("", "", {})->storage_time, clock.now());
}

// Two processes, one key: the kernel decides, and exactly one wins.
TEST_F(LocalFsTest, B1_CreateIfAbsentHoldsBetweenProcesses) {
  std::vector<pid_t> children;
  for (int child = 0; child < 4; ++child) {
    const pid_t pid = fork();
    if (pid == 0) {
      const auto storage = LocalFs::open(root());
      int won = 0;
      for (int key = 0; storage.ok() && key < 20; ++key) {
        const auto put = (*storage)->put(fmt::format("race/{}", key), as_bytes("x"),
                                         PutCondition::kIfAbsent, {});
        if (put.ok()) ++won;
        if (!put.ok() && put.code() != ErrorCode::kConflict) _exit(100);
      }
      _exit(won);
    }
    children.push_back(pid);
  }
  int wins = 0;
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    wins += WEXITSTATUS(status);
  }
  EXPECT_EQ(wins, 20);
  EXPECT_EQ(keys().size(), 20U);
}

// The child writes for ever and tells of each object that it was acknowledged; it is killed at no
// particular moment.
TEST_F(LocalFsTest, S14_KilledInTheMiddleOfWritingItLeavesNothingHalfWritten) {
  constexpr size_t kSize = 300'000;
  const auto body_of = [](int number) {
    return std::string(kSize, static_cast<char>(number % 251));
  };
  for (int round = 0; round < 5; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0) {
      const auto storage = LocalFs::open(root());
      for (int number = 0; storage.ok(); ++number) {
        const std::string body = body_of(number);
        const std::string key = fmt::format("round/{}/{}", round, number);
        bool stored = false;
        if (number % 2 == 0) {
          stored = (*storage)->put(key, as_bytes(body), PutCondition::kIfAbsent, {}).ok();
        } else {
          const auto upload = (*storage)->start_multipart(key, kSize / 2, {}).value();
          const ByteView bytes = as_bytes(body);
          stored = upload->upload_part(1, bytes.subspan(kSize / 2), {}).ok() &&
                   upload->upload_part(0, bytes.first(kSize / 2), {}).ok() &&
                   upload->complete(2, {}).ok();
        }
        if (!stored || write(pipe_ends[1], &number, sizeof number) != sizeof number) _exit(1);
      }
      _exit(2);
    }
    close(pipe_ends[1]);
    int acknowledged = -1;
    // The number of objects differs by round, and with it the moment.
    while (acknowledged < 2 + round) {
      ASSERT_EQ(::read(pipe_ends[0], &acknowledged, sizeof acknowledged),
                static_cast<ssize_t>(sizeof acknowledged));
    }
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    while (::read(pipe_ends[0], &acknowledged, sizeof acknowledged) > 0) {
    }
    close(pipe_ends[0]);

    storage_ = open();
    EXPECT_EQ(temporary_files(), 0U);
    const auto listed = list_all(*storage_, fmt::format("round/{}/", round), {}).value();
    // All that was acknowledged, and at most the one whose acknowledgement did not come through.
    EXPECT_GE(listed.size(), static_cast<size_t>(acknowledged) + 1);
    EXPECT_LE(listed.size(), static_cast<size_t>(acknowledged) + 2);
    for (int number = 0; number <= acknowledged; ++number) {
      EXPECT_EQ(read(fmt::format("round/{}/{}", round, number)).value(), body_of(number));
    }
    for (const auto& object : listed) EXPECT_EQ(object.size, kSize) << object.key;
  }
}

TEST_F(LocalFsTest, S14_AMultipartUploadKilledHalfWayLeavesNothing) {
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto storage = LocalFs::open(root());
    const auto upload = (*storage)->start_multipart("pack", 4, {});
    if (!upload.ok() || !(*upload)->upload_part(0, as_bytes("half"), {}).ok()) _exit(1);
    if (write(pipe_ends[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char ready = 0;
  ASSERT_EQ(::read(pipe_ends[0], &ready, 1), 1);
  EXPECT_EQ(temporary_files(), 2U);
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  EXPECT_THAT(keys(), IsEmpty());
  storage_ = open();
  EXPECT_EQ(temporary_files(), 0U);
}

TEST(CreateLocalRoot, MakesOnlyTheLastComponent) {
  const auto directory = TemporaryDirectory::create().value();
  const auto root = directory / "root";
  ASSERT_TRUE(create_local_root(root).ok());
  EXPECT_TRUE(LocalFs::open(root).ok());
  EXPECT_TRUE(create_local_root(root).ok()) << "one that exists is fine";

  const auto deep = create_local_root(directory / "absent/root");
  ASSERT_TRUE(deep.failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(deep.error().message(), HasSubstr("mounted"));
  EXPECT_FALSE(path_exists(directory / "absent").value());

  ASSERT_TRUE(write_file_atomically(directory / "file", {}).ok());
  EXPECT_TRUE(create_local_root(directory / "file").failed_with(ErrorCode::kInvalidArgument));
}

}  // namespace
}  // namespace varve
