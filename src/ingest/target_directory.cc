#include "ingest/target_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <thread>
#include <utility>

#include "fs/directory.h"

namespace varve {
namespace {

namespace filesystem = std::filesystem;

// Enough to let the file system gather several syncs into one write of its journal.
constexpr size_t kSyncThreads = 8;

filesystem::path parent_of(const filesystem::path& path) {
  const filesystem::path parent = path.parent_path();
  return parent.empty() ? filesystem::path(".") : parent;
}

Error failed(std::string_view action, const filesystem::path& path) {
  return system_error(errno, fmt::format("cannot {} {}", action, path.string()));
}

Result<> sync_path(const filesystem::path& path) {
  VARVE_ASSIGN(File file, File::open(path, O_RDONLY));
  return file.sync();
}

Result<> sync_all(const std::vector<filesystem::path>& paths, const std::stop_token& stop) {
  std::atomic<size_t> next = 0;
  std::atomic<bool> failing = false;
  std::mutex mutex;
  Result<> first_failure;
  const auto work = [&] {
    for (size_t i = next++; i < paths.size() && !failing && !stop.stop_requested(); i = next++) {
      Result<> synced = sync_path(paths[i]);
      if (synced.ok()) continue;
      const std::lock_guard lock(mutex);
      if (!failing.exchange(true)) first_failure = std::move(synced);
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (size_t i = 1; i < std::min(kSyncThreads, paths.size()); ++i) helpers.emplace_back(work);
    work();
  }
  if (first_failure.ok() && stop.stop_requested()) {
    return make_error(ErrorCode::kCancelled, "the restore was stopped");
  }
  return first_failure;
}

}  // namespace

Result<TargetDirectory> TargetDirectory::create(const filesystem::path& path,
                                                const Permissions& permissions) {
  // "dir/" names the same as "dir", but its parent would be taken for "dir" itself.
  TargetDirectory target(path.has_filename() ? path : path.parent_path(), permissions);
  VARVE_TRY(target.adopt_directory(target.root_));
  return target;
}

TargetDirectory::TargetDirectory(TargetDirectory&& other) noexcept
    : root_(std::move(other.root_)),
      permissions_(other.permissions_),
      created_(std::move(other.created_)),
      unsynced_files_(std::move(other.unsynced_files_)),
      unsynced_directories_(std::move(other.unsynced_directories_)),
      file_count_(other.file_count_),
      kept_(std::exchange(other.kept_, true)) {}

TargetDirectory::~TargetDirectory() {
  if (!kept_) remove_created();
}

// Makes `path` a directory of this target: a new one, or one that is there and empty.
Result<> TargetDirectory::adopt_directory(const filesystem::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0) {
    created_.push_back(path);
    unsynced_directories_.push_back(parent_of(path));
  } else if (errno != EEXIST) {
    return failed("create", path);
  } else {
    auto entries = list_directory(path);
    if (!entries.ok() || !entries->empty()) {
      return make_error(ErrorCode::kConflict,
                        "{} exists and is not an empty directory: name another one, or remove it",
                        path.string());
    }
  }
  VARVE_ASSIGN(const File directory, File::open(path, O_RDONLY | O_DIRECTORY));
  VARVE_TRY(take_permissions(directory.descriptor(), path, permissions_.directory_mode));
  unsynced_directories_.push_back(path);
  return {};
}

// The mode is set apart from the creation, since the umask may have taken bits away there.
Result<> TargetDirectory::take_permissions(int descriptor, const filesystem::path& path,
                                           mode_t mode) const {
  if (::fchmod(descriptor, mode) != 0) return failed("set the permissions of", path);
  if (!permissions_.owner || ::geteuid() != 0) return {};
  if (::fchown(descriptor, permissions_.owner->user, permissions_.owner->group) != 0) {
    return failed("set the owner of", path);
  }
  return {};
}

Result<> TargetDirectory::make_directory(const std::string& path) {
  const filesystem::path absolute = root_ / path;
  if (::mkdir(absolute.c_str(), 0700) != 0) {
    if (errno == EEXIST) {
      if (filesystem::is_directory(absolute)) return {};
      errno = ENOTDIR;
    }
    const size_t slash = path.rfind('/');
    if (errno != ENOENT || slash == path.npos) return failed("create", absolute);
    VARVE_TRY(make_directory(path.substr(0, slash)));
    if (::mkdir(absolute.c_str(), 0700) != 0) return failed("create", absolute);
  }
  note_directory(absolute);
  VARVE_ASSIGN(const File directory, File::open(absolute, O_RDONLY | O_DIRECTORY));
  return take_permissions(directory.descriptor(), absolute, permissions_.directory_mode);
}

void TargetDirectory::note_directory(const std::filesystem::path& path) {
  const std::lock_guard lock(mutex_);
  created_.push_back(path);
  unsynced_directories_.push_back(path);
}

Result<File> TargetDirectory::create_file(const std::string& path, mode_t mode) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
  const filesystem::path absolute = root_ / path;
  auto opened = File::open(absolute, kFlags);
  if (opened.failed_with(ErrorCode::kNotFound) && path.contains('/')) {
    VARVE_TRY(make_directory(path.substr(0, path.rfind('/'))));
    opened = File::open(absolute, kFlags);
  }
  if (!opened.ok()) return opened;
  note_file(absolute);
  VARVE_TRY(take_permissions(opened->descriptor(), absolute,
                             (mode | 0600) & permissions_.directory_mode));
  return opened;
}

void TargetDirectory::note_file(const filesystem::path& path) {
  const std::lock_guard lock(mutex_);
  created_.push_back(path);
  unsynced_files_.push_back(path);
  ++file_count_;
}

Result<> TargetDirectory::write_file(const std::string& path, ByteView content) {
  VARVE_ASSIGN(File file, create_file(path));
  return file.append(content);
}

Result<> TargetDirectory::link_directory(const std::string& path,
                                         const filesystem::path& location) {
  VARVE_TRY(adopt_directory(location));
  const filesystem::path absolute = root_ / path;
  if (::symlink(location.c_str(), absolute.c_str()) != 0)
    return failed("create the link", absolute);
  created_.push_back(absolute);
  if (permissions_.owner && ::geteuid() == 0 &&
      ::lchown(absolute.c_str(), permissions_.owner->user, permissions_.owner->group) != 0) {
    return failed("set the owner of", absolute);
  }
  return {};
}

Result<bool> TargetDirectory::has(const std::string& path) const {
  return path_exists(root_ / path);
}

Result<> TargetDirectory::sync(std::stop_token stop) {
  VARVE_TRY(sync_all(unsynced_files_, stop));
  // A new name is durable once its directory is: that of every file, and of every directory.
  for (const filesystem::path& file : unsynced_files_) {
    unsynced_directories_.push_back(parent_of(file));
  }
  std::ranges::sort(unsynced_directories_);
  const auto repeated = std::ranges::unique(unsynced_directories_);
  unsynced_directories_.erase(repeated.begin(), repeated.end());
  VARVE_TRY(sync_all(unsynced_directories_, stop));
  unsynced_files_.clear();
  unsynced_directories_.clear();
  return {};
}

void TargetDirectory::remove_created() noexcept {
  // Backwards, so that a directory is empty when its turn comes. What someone else put there
  // meanwhile keeps its directory.
  for (auto path = created_.rbegin(); path != created_.rend(); ++path) ::remove(path->c_str());
}

}  // namespace varve
