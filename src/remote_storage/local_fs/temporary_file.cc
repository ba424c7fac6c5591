#include "remote_storage/local_fs/temporary_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "base/random.h"

namespace varve::local_fs {
namespace {

constexpr size_t kNameDigits = 16;

Result<Directory> open_temporary_directory(const Directory& root) {
  const std::string name(kTemporaryDirectory);
  if (mkdirat(root.descriptor.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
    return system_error(errno, fmt::format("cannot create directory {}", root.shown(name)));
  }
  return open_directory(root, name);
}

// Whether the caller now holds the lock of an open file; otherwise errno is EWOULDBLOCK when
// another does.
bool lock(const Descriptor& file) {
  return flock(file.get(), LOCK_EX | LOCK_NB) == 0;
}

bool is_linked(const Descriptor& file) {
  struct stat status{};
  return fstat(file.get(), &status) == 0 && status.st_nlink > 0;
}

Result<> check_no_directory(const Directory& directory, std::string_view name) {
  const auto status = examine(directory, name);
  if (!status.ok() || !S_ISDIR(status->st_mode)) return {};
  return make_error(ErrorCode::kInvalidArgument,
                    "{} cannot be stored: it is a directory that holds other objects",
                    directory.shown(name));
}

}  // namespace

Result<TemporaryFile> TemporaryFile::create(const Directory& root) {
  VARVE_ASSIGN(Directory directory, open_temporary_directory(root));
  // Between creation and lock the file looks like a leftover; whoever removes it then is noticed
  // here.
  for (int attempt = 0; attempt < 10; ++attempt) {
    std::string name = fmt::format("{:0{}x}", system_random().next(), kNameDigits);
    Descriptor file(openat(directory.descriptor.get(), name.c_str(),
                           O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file.get() < 0) {
      return system_error(errno, fmt::format("cannot create {}", directory.shown(name)));
    }
    const bool locked = lock(file);
    if (locked && is_linked(file)) {
      return TemporaryFile(std::move(directory), std::move(name), std::move(file));
    }
    const int error = errno;
    unlinkat(directory.descriptor.get(), name.c_str(), 0);
    if (!locked && error != EWOULDBLOCK) {
      return system_error(error, fmt::format("cannot lock {}", directory.shown(name)));
    }
  }
  return make_error(ErrorCode::kUnavailable,
                    "cannot create a file in {}: another process removes every one",
                    directory.path.string());
}

TemporaryFile::~TemporaryFile() {
  if (file_.get() >= 0 && !name_.empty()) unlinkat(directory_.descriptor.get(), name_.c_str(), 0);
}

Result<> TemporaryFile::write_at(uint64_t offset, ByteView bytes) {
  return local_fs::write_at(file_, offset, bytes, directory_.shown(name_));
}

Result<> TemporaryFile::publish_if_absent(const Directory& directory, std::string_view name) {
  VARVE_TRY(sync(file_, directory_.shown(name_)));
  const std::string target(name);
  // link(2) rather than renameat2(2): it is atomic on every file system, network ones included.
  if (linkat(directory_.descriptor.get(), name_.c_str(), directory.descriptor.get(), target.c_str(),
             0) != 0) {
    const int error = errno;
    if (error == EEXIST) {
      VARVE_TRY(check_no_directory(directory, name));
      // Whoever is told that it exists may build on it, and the one who made it may not have come
      // to sync its name, or have failed to.
      VARVE_TRY(sync(directory.descriptor, directory.path.string()));
      return make_error(ErrorCode::kConflict, "{} exists already", directory.shown(name));
    }
    return system_error(
        error, fmt::format("cannot create {} by a hard link (the file system must support them)",
                           directory.shown(name)));
  }
  return sync(directory.descriptor, directory.path.string());
}

Result<> TemporaryFile::publish(const Directory& directory, std::string_view name) {
  VARVE_TRY(sync(file_, directory_.shown(name_)));
  const std::string target(name);
  if (renameat(directory_.descriptor.get(), name_.c_str(), directory.descriptor.get(),
               target.c_str()) != 0) {
    const int error = errno;
    VARVE_TRY(check_no_directory(directory, name));
    return system_error(error, fmt::format("cannot write {}", directory.shown(name)));
  }
  name_.clear();
  return sync(directory.descriptor, directory.path.string());
}

bool is_temporary_name(std::string_view name) {
  return name.size() == kNameDigits &&
         name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<Holder> holder_of(const Directory& temporary_directory, std::string_view name) {
  struct stat status{};
  const auto file = open_regular_file(temporary_directory, name, status);
  if (file.failed_with(ErrorCode::kNotFound)) return Holder::kNoFile;
  if (!file.ok()) return file.error();
  // A shared lock, since it asks for no more than reading, and is let go of at once.
  if (flock(file->get(), LOCK_SH | LOCK_NB) == 0) return Holder::kNobody;
  if (errno == EWOULDBLOCK) return Holder::kSomebody;
  return system_error(errno, fmt::format("cannot lock {}", temporary_directory.shown(name)));
}

Result<> remove_leftovers(const Directory& root) {
  auto directory = open_directory(root, kTemporaryDirectory);
  if (directory.failed_with(ErrorCode::kNotFound)) return {};
  if (!directory.ok()) return directory.error();
  VARVE_ASSIGN(const auto entries, read_entries(*directory));
  for (const Entry& entry : entries) {
    if (entry.name.ends_with(kMarkSuffix)) {
      // The mark of an upload is not held itself.
      const auto marked = entry.name.substr(0, entry.name.size() - kMarkSuffix.size());
      const auto holder = holder_of(*directory, marked);
      if (!holder.ok() || *holder == Holder::kSomebody) continue;
    }
    const Descriptor file(openat(directory->descriptor.get(), entry.name.c_str(),
                                 O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file.get() < 0 || !lock(file)) continue;
    struct stat status{};
    if (fstat(file.get(), &status) == 0 && status.st_nlink > 1) {
      // It has its key's name already, and its writer did not come to sync that. From now on the
      // object is seen and built on.
      VARVE_TRY(sync_file_system(root.descriptor, root.path.string()));
    }
    if (unlinkat(directory->descriptor.get(), entry.name.c_str(), 0) != 0 && errno != ENOENT) {
      return system_error(errno, fmt::format("cannot remove {}", directory->shown(entry.name)));
    }
  }
  return {};
}

}  // namespace varve::local_fs
