// What a server takes for its data directory though there is no data: enough for a redo process.
#pragma once

#include <optional>

#include "fs/system_user.h"
#include "fs/temporary_directory.h"
#include "redo/redo_options.h"
#include "runtime/descriptor.h"

namespace varve {

class ScratchDirectory {
 public:
  // Where RedoProcessOptions say, for a process of `owner` (of this one's user when none). The
  // extension is copied in, since where it lies may be closed to the owner. Removes beside it what
  // processes have left that were killed. NotFound when there is no extension.
  static Result<ScratchDirectory> create(const RedoProcessOptions& options,
                                         const std::optional<SystemUser>& owner);

  const std::filesystem::path& path() const { return directory_.path(); }
  std::filesystem::path library() const;

 private:
  ScratchDirectory(Descriptor lock, TemporaryDirectory directory)
      : lock_(std::move(lock)), directory_(std::move(directory)) {}

  // An flock(2) on the directory, which the kernel releases when this process dies however it dies:
  // who can take it finds a directory that nobody uses. Held until the directory is gone.
  Descriptor lock_;
  TemporaryDirectory directory_;
};

}  // namespace varve
