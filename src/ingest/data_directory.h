// A PostgreSQL data directory as the source of an import: opened only when it is safe to read.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>

#include "base/result.h"
#include "postgres/control_file.h"

namespace varve {

// What the files of a base backup do not say of themselves.
struct BaseBackupFacts {
  // Where recovery has to begin.
  Lsn start;
  // Of the data directory at the source.
  mode_t mode = 0700;
  // Where its tablespaces were there; all are inside pg_tblspc here.
  std::map<uint32_t, std::string> tablespaces;
};

// A cleanly stopped cluster, or the files of a base backup. Nothing is ever written to it.
class DataDirectory {
 public:
  // NotFound when there is no such directory; InvalidArgument when it is no PostgreSQL 15 data
  // directory (the version found is named); Conflict when its server runs, or was not stopped
  // cleanly, or is a standby; Denied when it cannot be read; Corrupted for a damaged pg_control.
  // Messages say what to do.
  static Result<DataDirectory> open(const std::filesystem::path& path);
  // The same for what belongs to nobody else.
  static Result<DataDirectory> open_backup(const std::filesystem::path& path,
                                           BaseBackupFacts facts);

  const std::filesystem::path& path() const { return path_; }
  const ControlFile& control_file() const { return control_file_; }
  // Permission bits of the directory, limited to what a server accepts: 0700 or 0750.
  mode_t mode() const { return facts_.mode; }

  // Whether the files are of different moments, so that they are a cluster only with the WAL from
  // start_lsn() on. Then a file may end within a page, and pages may be torn.
  bool is_backup() const { return is_backup_; }
  // Up to where all that the WAL says is in the files: the start of the shutdown checkpoint's
  // record, or of the backup; and the end of that record, from where the WAL goes on.
  Lsn start_lsn() const { return facts_.start; }
  Lsn end_lsn() const { return end_; }
  // Where a tablespace was that is a directory inside pg_tblspc here; empty when it was there, too.
  std::string tablespace_location(uint32_t tablespace) const;

  // Conflict when a server was started on the directory since it was opened.
  Result<> check_unchanged() const;

 private:
  DataDirectory(std::filesystem::path path, const ControlFile& control_file, BaseBackupFacts facts,
                Lsn end, bool is_backup)
      : path_(std::move(path)),
        control_file_(control_file),
        facts_(std::move(facts)),
        end_(end),
        is_backup_(is_backup) {}

  std::filesystem::path path_;
  ControlFile control_file_;
  BaseBackupFacts facts_;
  Lsn end_;
  bool is_backup_;
};

}  // namespace varve
