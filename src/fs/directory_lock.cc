#include "fs/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <tuple>

namespace varve {

Result<DirectoryLock> DirectoryLock::acquire(const std::filesystem::path& directory) {
  VARVE_ASSIGN(File file, File::open(directory / "varve.lock", O_RDWR | O_CREAT, 0600));
  if (flock(file.descriptor(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return system_error(errno, fmt::format("cannot lock {}", file.path().string()));
    }
    std::string owner(16, '\0');
    VARVE_ASSIGN(const size_t length,
                 file.read_at(0, {reinterpret_cast<uint8_t*>(owner.data()), owner.size()}));
    owner.resize(length);
    return make_error(ErrorCode::kConflict,
                      "{} is in use by another varve process{}: wait until it ends, or stop it",
                      directory.string(), owner.empty() ? "" : " (process " + owner + ")");
  }
  VARVE_ASSIGN(const uint64_t left, file.size());
  // For the message above, and to tell that it was not let go of: what holds the lock is the open
  // file, not its content.
  const std::string self = std::to_string(getpid());
  if (ftruncate(file.descriptor(), 0) != 0) {
    return system_error(errno, fmt::format("cannot write {}", file.path().string()));
  }
  VARVE_TRY(file.write_at(0, as_bytes(self)));
  return DirectoryLock(std::move(file), left > 0);
}

DirectoryLock::~DirectoryLock() {
  if (file_.descriptor() >= 0) std::ignore = ftruncate(file_.descriptor(), 0);
}

}  // namespace varve
