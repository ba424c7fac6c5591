#include "redo/scratch_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "fs/directory.h"
#include "fs/file.h"
#include "postgres/control_file.h"
#include "postgres/layout.h"

namespace varve {
namespace {

constexpr std::string_view kLibraryName = "varve_redo.so";
constexpr std::string_view kPrefix = "varve-redo-";

// Whether `user` may pass through the directory and all that it lies in, as far as permission bits
// say.
bool can_reach(const std::filesystem::path& directory, const SystemUser& user) {
  std::error_code error;
  std::filesystem::path at = std::filesystem::canonical(directory, error);
  if (error) return false;
  while (true) {
    struct stat status{};
    if (::stat(at.c_str(), &status) != 0) return false;
    const mode_t needed = status.st_uid == user.user    ? S_IXUSR
                          : status.st_gid == user.group ? S_IXGRP
                                                        : S_IXOTH;
    if ((status.st_mode & needed) == 0) return false;
    if (at == at.root_path()) return true;
    at = at.parent_path();
  }
}

std::filesystem::path parent_for(const RedoProcessOptions& options,
                                 const std::optional<SystemUser>& owner) {
  const std::filesystem::path& preferred = options.scratch_parent;
  std::error_code error;
  if (!preferred.empty()) {
    std::filesystem::create_directories(preferred, error);
    if (!error && (!owner || can_reach(preferred, *owner))) return preferred;
  }
  const auto temporary = std::filesystem::temp_directory_path(error);
  return error ? std::filesystem::path("/tmp") : temporary;
}

// Nothing when somebody else has it.
Descriptor lock(const std::filesystem::path& directory) {
  Descriptor descriptor(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (descriptor.get() >= 0 && ::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
    descriptor.close();
  }
  return descriptor;
}

// What cannot be removed is in nobody's way.
void remove_abandoned(const std::filesystem::path& parent, const std::optional<SystemUser>& owner) {
  const auto entries = list_directory(parent);
  if (!entries.ok()) return;
  for (const DirectoryEntry& entry : *entries) {
    if (!entry.name.starts_with(kPrefix)) continue;
    const std::filesystem::path path = parent / entry.name;
    const Descriptor lock_of_nobody = lock(path);
    struct stat status{};
    if (lock_of_nobody.get() < 0 || ::fstat(lock_of_nobody.get(), &status) != 0) continue;
    // A directory for temporary files is everybody's.
    if (status.st_uid != ::geteuid() && !(owner && status.st_uid == owner->user)) continue;
    (void)remove_tree(path);
  }
}

struct Locked {
  Descriptor lock;
  TemporaryDirectory directory;
};

Result<Locked> make_locked(const std::filesystem::path& parent) {
  constexpr int kAttempts = 10;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    VARVE_ASSIGN(TemporaryDirectory made, TemporaryDirectory::create(kPrefix, parent));
    Descriptor held = lock(made.path());
    struct stat status{};
    const bool is_there =
        held.get() >= 0 && ::fstat(held.get(), &status) == 0 && status.st_nlink > 0;
    // Otherwise another process has taken it for abandoned.
    if (is_there) return Locked{std::move(held), std::move(made)};
  }
  return make_error(ErrorCode::kUnavailable, "directories in {} cannot be locked", parent.string());
}

// Makes files and directories for somebody else. Nothing of it is to survive a crash, so nothing is
// synced.
class Maker {
 public:
  Maker(std::filesystem::path root, const std::optional<SystemUser>& owner)
      : root_(std::move(root)), owner_(owner) {}

  Result<> give_away(const std::filesystem::path& path) const {
    if (!owner_ || ::chown(path.c_str(), owner_->user, owner_->group) == 0) return {};
    return system_error(errno, fmt::format("cannot give {} to another user", path.string()));
  }

  Result<> directory(std::string_view name) const {
    const std::filesystem::path path = root_ / name;
    if (::mkdir(path.c_str(), 0700) != 0) {
      return system_error(errno, fmt::format("cannot create directory {}", path.string()));
    }
    return give_away(path);
  }

  Result<> file(std::string_view name, ByteView content) const {
    const std::filesystem::path path = root_ / name;
    VARVE_ASSIGN(File file, File::open(path, O_WRONLY | O_CREAT | O_EXCL));
    VARVE_TRY(file.append(content));
    return give_away(path);
  }

 private:
  std::filesystem::path root_;
  const std::optional<SystemUser>& owner_;
};

Result<Bytes> read_library(const std::filesystem::path& path) {
  auto content = read_file(path);
  if (content.ok()) return content;
  return content.error().context(
      "the extension for redo processes cannot be read: varve_redo.so, which scripts/build makes "
      "together with the varve command, belongs beside that, or into ../lib/varve from there");
}

}  // namespace

Result<ScratchDirectory> ScratchDirectory::create(const RedoProcessOptions& options,
                                                  const std::optional<SystemUser>& owner) {
  VARVE_ASSIGN(const Bytes library, read_library(options.library));
  const std::filesystem::path parent = parent_for(options, owner);
  remove_abandoned(parent, owner);
  VARVE_ASSIGN(Locked locked, make_locked(parent));
  const TemporaryDirectory& directory = locked.directory;
  const Maker maker(directory.path(), owner);
  VARVE_TRY(maker.file("PG_VERSION", as_bytes(fmt::format("{}\n", kPostgresMajorVersion))));
  VARVE_TRY(maker.file("postgresql.conf", {}));
  VARVE_TRY(maker.file("postgresql.auto.conf", {}));
  VARVE_TRY(maker.directory("global"));
  VARVE_TRY(maker.file("global/pg_control", ControlFile::for_redo().to_file()));
  VARVE_TRY(maker.directory("pg_dynshmem"));
  VARVE_TRY(maker.directory("pg_notify"));
  VARVE_TRY(maker.file(kLibraryName, library));
  VARVE_TRY(maker.give_away(directory.path()));
  return ScratchDirectory(std::move(locked.lock), std::move(locked.directory));
}

std::filesystem::path ScratchDirectory::library() const {
  return path() / kLibraryName;
}

}  // namespace varve
