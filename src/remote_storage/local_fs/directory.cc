#include "remote_storage/local_fs/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace varve::local_fs {
namespace {

Error link_error(const std::string& shown) {
  return make_error(ErrorCode::kDenied, "{} is a symbolic link, which is not followed", shown);
}

// Calls `function` again when a signal interrupted it.
template <typename Function>
auto uninterrupted(Function function) {
  auto result = function();
  while (result < 0 && errno == EINTR) result = function();
  return result;
}

}  // namespace

Result<struct stat> examine(const Directory& directory, std::string_view name) {
  struct stat status{};
  const std::string text(name);
  if (fstatat(directory.descriptor.get(), text.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    return status;
  }
  return system_error(errno, fmt::format("cannot examine {}", directory.shown(name)));
}

Result<Directory> open_directory(const Directory& directory, std::string_view name) {
  const std::string text(name);
  const int descriptor = uninterrupted([&] {
    return openat(directory.descriptor.get(), text.c_str(),
                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  });
  if (descriptor >= 0) return Directory{Descriptor(descriptor), directory.path / name};
  const int error = errno;
  // A link and a plain file are both "not a directory": only the former must be told apart.
  if (error == ENOTDIR || error == ELOOP) {
    const auto status = examine(directory, name);
    if (status.ok() && S_ISLNK(status->st_mode)) return link_error(directory.shown(name));
  }
  return system_error(error, fmt::format("cannot open directory {}", directory.shown(name)));
}

Result<Descriptor> open_regular_file(const Directory& directory, std::string_view name,
                                     struct stat& status) {
  const std::string text(name);
  // O_NONBLOCK: opening a named pipe would wait for a writer.
  Descriptor descriptor(uninterrupted([&] {
    return openat(directory.descriptor.get(), text.c_str(),
                  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  }));
  if (descriptor.get() < 0) {
    if (errno == ELOOP) return link_error(directory.shown(name));
    return system_error(errno, fmt::format("cannot open {}", directory.shown(name)));
  }
  if (fstat(descriptor.get(), &status) != 0) {
    return system_error(errno, fmt::format("cannot examine {}", directory.shown(name)));
  }
  if (S_ISDIR(status.st_mode)) {
    return make_error(ErrorCode::kNotFound, "{} is a directory, not an object",
                      directory.shown(name));
  }
  if (!S_ISREG(status.st_mode)) {
    return make_error(ErrorCode::kDenied, "{} is not a regular file", directory.shown(name));
  }
  return descriptor;
}

Result<std::vector<Entry>> read_entries(const Directory& directory) {
  const auto failed = [&] {
    return system_error(errno, fmt::format("cannot list {}", directory.path.string()));
  };
  // A descriptor of its own: the position in the directory is not shared, and closedir closes it.
  const int descriptor =
      openat(directory.descriptor.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return failed();
  struct CloseDirectory {
    void operator()(DIR* stream) const { closedir(stream); }
  };
  const std::unique_ptr<DIR, CloseDirectory> stream(fdopendir(descriptor));
  if (stream == nullptr) {
    const Error error = failed();
    ::close(descriptor);
    return error;
  }
  std::vector<Entry> entries;
  for (;;) {
    errno = 0;
    const dirent* found = readdir(stream.get());
    if (found == nullptr) break;
    Entry entry{.name = found->d_name, .type = static_cast<mode_t>(DTTOIF(found->d_type))};
    if (entry.name == "." || entry.name == "..") continue;
    // Some file systems do not say what it is.
    if (found->d_type == DT_UNKNOWN) {
      const auto status = examine(directory, entry.name);
      if (!status.ok() && !status.failed_with(ErrorCode::kNotFound)) return status.error();
      entry.type = status.ok() ? status->st_mode & S_IFMT : 0;
    }
    entries.push_back(std::move(entry));
  }
  if (errno != 0) return failed();
  return entries;
}

Result<> sync(const Descriptor& descriptor, const std::string& shown) {
  if (uninterrupted([&] { return fsync(descriptor.get()); }) == 0) return {};
  return system_error(errno, fmt::format("cannot sync {}", shown));
}

Result<> sync_file_system(const Descriptor& descriptor, const std::string& shown) {
  if (uninterrupted([&] { return syncfs(descriptor.get()); }) == 0) return {};
  return system_error(errno, fmt::format("cannot sync the file system of {}", shown));
}

Result<> write_at(const Descriptor& descriptor, uint64_t offset, ByteView bytes,
                  const std::string& shown) {
  while (!bytes.empty()) {
    const ssize_t count = uninterrupted([&] {
      return pwrite(descriptor.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    });
    if (count < 0) return system_error(errno, fmt::format("cannot write {}", shown));
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

Result<size_t> read_at(const Descriptor& descriptor, uint64_t offset, std::span<uint8_t> out,
                       const std::string& shown) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t count = uninterrupted([&] {
      return pread(descriptor.get(), out.data() + done, out.size() - done,
                   static_cast<off_t>(offset + done));
    });
    if (count < 0) return system_error(errno, fmt::format("cannot read {}", shown));
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  return done;
}

Timestamp modification_time(const struct stat& status) {
  return {status.st_mtim.tv_sec * 1'000'000 + status.st_mtim.tv_nsec / 1'000};
}

}  // namespace varve::local_fs
