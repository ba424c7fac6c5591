// A base backup as files, to be imported.
#pragma once

#include <functional>
#include <optional>

#include "fs/file.h"
#include "ingest/data_directory.h"
#include "replication/base_backup.h"

namespace varve {

// Not thread-safe.
class BackupSpool : public BaseBackupSink {
 public:
  // `directory` is empty, and nothing in it is made durable. Tablespaces become directories inside
  // pg_tblspc. `progress` hears of the bytes sent so far, and of how many there are about.
  using SpoolProgress = std::function<void(uint64_t done, uint64_t total)>;
  BackupSpool(std::filesystem::path directory, SpoolProgress progress)
      : directory_(std::move(directory)), progress_(std::move(progress)) {}

  const std::filesystem::path& directory() const { return directory_; }
  const BackupStart& start() const { return start_; }
  // For DataDirectory::open_backup(); `mode` is that of the data directory at the source.
  BaseBackupFacts facts(mode_t mode) const;

  Result<> begin_backup(const BackupStart& start) override;
  Result<> begin_tablespace(const BackupTablespace& tablespace) override;
  Result<> begin_entry(const TarEntry& entry) override;
  Result<> content(ByteView bytes) override;
  Result<> end_entry() override;
  void progress(uint64_t bytes) override;

 private:
  const std::filesystem::path directory_;
  const SpoolProgress progress_;
  BackupStart start_;
  // Where the entries that come belong.
  std::filesystem::path root_;
  std::optional<File> file_;
};

}  // namespace varve
