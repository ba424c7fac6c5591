#include "redo/scratch_directory.h"

#include <fcntl.h>
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
      "the extension for redo processes cannot be read (scripts/build makes it as varve_redo.so "
      "beside the varve command)");
}

}  // namespace

Result<ScratchDirectory> ScratchDirectory::create(const RedoProcessOptions& options,
                                                  const std::optional<SystemUser>& owner) {
  VARVE_ASSIGN(const Bytes library, read_library(options.library));
  VARVE_ASSIGN(TemporaryDirectory directory,
               TemporaryDirectory::create("varve-redo-", options.scratch_parent));
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
  return ScratchDirectory(std::move(directory));
}

std::filesystem::path ScratchDirectory::library() const {
  return path() / kLibraryName;
}

}  // namespace varve
