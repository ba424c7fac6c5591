// A PostgreSQL data directory as the source of an import: opened only when it is safe to read.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "base/result.h"
#include "postgres/control_file.h"

namespace varve {

// A cleanly stopped cluster. Nothing is ever written to it.
class DataDirectory {
 public:
  // NotFound when there is no such directory; InvalidArgument when it is no PostgreSQL 15 data
  // directory (the version found is named); Conflict when its server runs, or was not stopped
  // cleanly, or is a standby; Denied when it cannot be read; Corrupted for a damaged pg_control.
  // Messages say what to do.
  static Result<DataDirectory> open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const ControlFile& control_file() const { return control_file_; }
  // Permission bits of the directory, limited to what a server accepts: 0700 or 0750.
  mode_t mode() const { return mode_; }

  // Conflict when a server was started on the directory since it was opened.
  Result<> check_unchanged() const;

 private:
  DataDirectory(std::filesystem::path path, const ControlFile& control_file, mode_t mode)
      : path_(std::move(path)), control_file_(control_file), mode_(mode) {}

  std::filesystem::path path_;
  ControlFile control_file_;
  mode_t mode_;
};

}  // namespace varve
