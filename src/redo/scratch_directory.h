// What a server takes for its data directory though there is no data: enough for a redo process.
#pragma once

#include <optional>

#include "fs/temporary_directory.h"
#include "redo/child_process.h"
#include "redo/redo_options.h"

namespace varve {

class ScratchDirectory {
 public:
  // In the scratch folder, for a process of `owner` (of this one's user when none). The extension
  // is copied in, since where it lies may be closed to the owner. NotFound when there is no
  // extension.
  static Result<ScratchDirectory> create(const RedoProcessOptions& options,
                                         const std::optional<SystemUser>& owner);

  const std::filesystem::path& path() const { return directory_.path(); }
  std::filesystem::path library() const;

 private:
  explicit ScratchDirectory(TemporaryDirectory directory) : directory_(std::move(directory)) {}

  TemporaryDirectory directory_;
};

}  // namespace varve
