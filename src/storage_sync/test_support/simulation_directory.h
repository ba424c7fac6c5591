// Work directories, and what should be in them.
#pragma once

#include <filesystem>

#include "fs/temporary_directory.h"
#include "storage_sync/test_support/simulation_ledger.h"

namespace varve::simulation {

// Goes with every copy of the directory.
struct WorkDirectory {
  std::filesystem::path path;
  // The states in the metadata files.
  std::map<TenantTimelineId, StateId> timelines;
  // Tenants that another server was seen to have taken over, and when that was seen.
  std::map<TenantId, uint64_t> fenced;
  // When the tenants that are written to from here were created or attached.
  std::map<TenantId, uint64_t> owned_since;
  // The servers that ran on it, each with the last event of it that the directory can know of.
  std::map<uint32_t, uint64_t> servers;

  // The journals know the attempt.
  bool knows(const Sender& sender) const {
    const auto found = servers.find(sender.server);
    return found != servers.end() && sender.event <= found->second;
  }
};

// Cuts a byte off one of the layer files in there.
inline void truncate_layer(const std::filesystem::path& directory) {
  for (const auto& file : std::filesystem::recursive_directory_iterator(directory)) {
    if (file.path().extension() != ".sst" || file.file_size() == 0) continue;
    std::filesystem::resize_file(file.path(), file.file_size() - 1);
    return;
  }
}

// In memory where the machine has a file system for that, since every file is synced.
class Directories {
 public:
  WorkDirectory create() {
    WorkDirectory directory{.path = next()};
    std::filesystem::create_directories(directory.path);
    return directory;
  }

  // As it is now: what a crash leaves, or a backup.
  WorkDirectory copy(const WorkDirectory& from) {
    WorkDirectory copy = from;
    copy.path = next();
    std::filesystem::copy(from.path, copy.path, std::filesystem::copy_options::recursive);
    return copy;
  }

  void remove(const WorkDirectory& directory) const { std::filesystem::remove_all(directory.path); }

 private:
  std::filesystem::path next() { return root_ / fmt::format("{}", ++count_); }

  static std::filesystem::path parent() {
    const std::filesystem::path memory = "/dev/shm";
    return std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
  }

  TemporaryDirectory root_ = TemporaryDirectory::create("varve-simulation-", parent()).value();
  uint64_t count_ = 0;
};

}  // namespace varve::simulation
