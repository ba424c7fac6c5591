// A work directory: made by `init`, held by one process at a time.
#pragma once

#include <filesystem>

#include "fs/directory_lock.h"
#include "remote_storage/request_counts.h"
#include "server/settings.h"

namespace varve {

class WorkDirectory {
 public:
  // Makes the directory and its varve.toml, and the last component of a file:// remote. Conflict
  // when it is one already, or holds something else.
  static Result<> init(const std::filesystem::path& path, const Settings& settings);

  // NotFound, with the remedy, when the directory is missing or was not initialised; Conflict when
  // another process holds it; InvalidArgument for a broken varve.toml.
  static Result<WorkDirectory> open(const std::filesystem::path& path);

  // Those of a work directory that somebody else may hold. Errors as those of open().
  static Result<Settings> read_settings(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  // As varve.toml has them.
  const Settings& settings() const { return settings_; }

  // A directory for what is of no use to the next process: made by whoever needs it, and removed by
  // open().
  std::filesystem::path scratch_directory() const;

  // The counts of the requests that were ever sent from this work directory. Unreadable ones are
  // reported and count as none: they are worth less than the command that asks.
  RequestCounts read_request_counts() const;
  Result<> write_request_counts(const RequestCounts& counts) const;

 private:
  WorkDirectory(std::filesystem::path path, DirectoryLock lock, Settings settings)
      : path_(std::move(path)), lock_(std::move(lock)), settings_(std::move(settings)) {}

  std::filesystem::path path_;
  DirectoryLock lock_;
  Settings settings_;
};

}  // namespace varve
