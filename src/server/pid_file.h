// The file by which commands find the server that runs in a work directory.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "base/result.h"

namespace varve {

// Written by the holder of the work directory's lock, and removed by whoever takes that lock next
// if it was left: so what it says is true for as long as the lock is held.
struct PidFile {
  pid_t pid = 0;
  std::string url;          // Of the HTTP API: http://127.0.0.1:9898.
  std::string address;      // Where the host of the URL is to be found; empty: it is an address.
  std::string certificate;  // File of the server's certificate; empty: plain HTTP.
  std::string token_file;   // Empty: no token is asked for.
  std::string remote;       // URL of the remote storage that the server uses; empty: none.

  static std::filesystem::path path(const std::filesystem::path& work_directory);
  // NotFound when there is none; Corrupted when it is not such a file.
  static Result<PidFile> read(const std::filesystem::path& work_directory);
  Result<> write(const std::filesystem::path& work_directory) const;
  static Result<> remove(const std::filesystem::path& work_directory);

  bool operator==(const PidFile&) const = default;
};

}  // namespace varve
