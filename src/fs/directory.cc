#include "fs/directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "fs/file.h"

namespace varve {

namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kNanosPerMicro = 1000;

std::filesystem::path parent_of(const std::filesystem::path& path) {
  const auto parent = path.parent_path();
  return parent.empty() ? std::filesystem::path(".") : parent;
}

Error wrap(const std::error_code& error, std::string_view action,
           const std::filesystem::path& path) {
  return system_error(error.value(), fmt::format("cannot {} {}", action, path.string()));
}

}  // namespace

Result<Bytes> read_file(const std::filesystem::path& path, uint64_t limit) {
  VARVE_ASSIGN(const File file, File::open(path, O_RDONLY));
  VARVE_ASSIGN(const uint64_t size, file.size());
  if (size > limit) {
    return make_error(ErrorCode::kExhausted, "{} has {} bytes: more than the {} expected at most",
                      path.string(), size, limit);
  }
  Bytes content(size);
  VARVE_TRY(file.read_exactly_at(0, content));
  return content;
}

Result<> write_file_atomically(const std::filesystem::path& path, ByteView content, mode_t mode) {
  auto temporary = path;
  temporary += kTemporarySuffix;
  const auto write = [&]() -> Result<> {
    VARVE_ASSIGN(File file, File::open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode));
    VARVE_TRY(file.append(content));
    VARVE_TRY(file.sync());
    return rename_durably(temporary, path);
  };
  auto written = write();
  if (!written.ok()) ::unlink(temporary.c_str());
  return written;
}

Result<> rename_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return system_error(errno, fmt::format("cannot rename {} to {}", from.string(), to.string()));
  }
  return sync_directory(parent_of(to));
}

Result<> sync_directory(const std::filesystem::path& directory) {
  VARVE_ASSIGN(File file, File::open(directory, O_RDONLY | O_DIRECTORY));
  return file.sync();
}

Result<> sync_file_system(const std::filesystem::path& directory) {
  VARVE_ASSIGN(const File file, File::open(directory, O_RDONLY | O_DIRECTORY));
  if (::syncfs(file.descriptor()) == 0) return {};
  return system_error(errno, fmt::format("cannot sync the file system of {}", directory.string()));
}

Result<> create_directories_durably(const std::filesystem::path& directory, mode_t mode) {
  if (::mkdir(directory.c_str(), mode) == 0) return sync_directory(parent_of(directory));
  if (errno == ENOENT) {
    const auto parent = parent_of(directory);
    if (parent == directory) return system_error(ENOENT, directory.string());
    VARVE_TRY(create_directories_durably(parent, mode));
    return create_directories_durably(directory, mode);
  }
  if (errno == EEXIST) {
    struct stat status{};
    if (::stat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
    return make_error(ErrorCode::kConflict, "cannot create directory {}: a file has that name",
                      directory.string());
  }
  return system_error(errno, fmt::format("cannot create directory {}", directory.string()));
}

Result<std::vector<DirectoryEntry>> list_directory(const std::filesystem::path& directory) {
  std::error_code error;
  std::vector<DirectoryEntry> entries;
  std::filesystem::directory_iterator iterator(directory, error);
  for (; !error && iterator != std::filesystem::directory_iterator(); iterator.increment(error)) {
    entries.push_back(
        {iterator->path().filename().string(), iterator->symlink_status(error).type()});
    // A file that vanished since it was listed is no error of the listing.
    if (error) entries.pop_back(), error.clear();
  }
  if (error) return wrap(error, "list", directory);
  std::ranges::sort(entries, {}, &DirectoryEntry::name);
  return entries;
}

Result<bool> path_exists(const std::filesystem::path& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return system_error(errno, fmt::format("cannot examine {}", path.string()));
}

Result<std::optional<FileStatus>> file_status(const std::filesystem::path& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) {
    return FileStatus{.size = static_cast<uint64_t>(status.st_size),
                      .modified = {status.st_mtim.tv_sec * kMicrosPerSecond +
                                   status.st_mtim.tv_nsec / kNanosPerMicro}};
  }
  if (errno == ENOENT || errno == ENOTDIR) return std::optional<FileStatus>();
  return system_error(errno, fmt::format("cannot examine {}", path.string()));
}

Result<> set_modified(const std::filesystem::path& path, Timestamp time) {
  const timespec modified{.tv_sec = time.micros / kMicrosPerSecond,
                          .tv_nsec = time.micros % kMicrosPerSecond * kNanosPerMicro};
  const std::array<timespec, 2> times{timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, modified};
  if (::utimensat(AT_FDCWD, path.c_str(), times.data(), 0) == 0) return {};
  return system_error(errno, fmt::format("cannot change the times of {}", path.string()));
}

Result<> remove_file(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return system_error(errno, fmt::format("cannot remove {}", path.string()));
}

Result<> remove_tree(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  if (error) return wrap(error, "remove", directory);
  return {};
}

}  // namespace varve
