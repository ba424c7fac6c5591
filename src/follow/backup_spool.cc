#include "follow/backup_spool.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "fs/directory.h"
#include "postgres/layout.h"

namespace varve {
namespace {

constexpr char kTablespaces[] = "pg_tblspc";

Result<> make_directories(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return {};
  return system_error(error.value(), fmt::format("cannot create {}", path.string()));
}

}  // namespace

BaseBackupFacts BackupSpool::facts(mode_t mode) const {
  BaseBackupFacts facts{.start = start_.start, .mode = mode};
  for (const BackupTablespace& tablespace : start_.tablespaces) {
    if (tablespace.oid) facts.tablespaces[*tablespace.oid] = tablespace.location;
  }
  return facts;
}

Result<> BackupSpool::begin_backup(const BackupStart& start) {
  start_ = start;
  // The server may send one without an entry for itself.
  for (const BackupTablespace& tablespace : start.tablespaces) {
    if (!tablespace.oid) continue;
    VARVE_TRY(make_directories(directory_ / kTablespaces / std::to_string(*tablespace.oid) /
                               kTablespaceVersionDirectory));
  }
  return {};
}

Result<> BackupSpool::begin_tablespace(const BackupTablespace& tablespace) {
  root_ = tablespace.oid ? directory_ / kTablespaces / std::to_string(*tablespace.oid) : directory_;
  return {};
}

Result<> BackupSpool::begin_entry(const TarEntry& entry) {
  const auto path = root_ / entry.path;
  switch (entry.type) {
    case TarEntry::Type::kDirectory:
      return make_directories(path);
    case TarEntry::Type::kSymbolicLink:
      // Of a tablespace, which is here itself.
      return {};
    case TarEntry::Type::kFile: {
      VARVE_ASSIGN(file_, File::open(path, O_WRONLY | O_CREAT | O_EXCL, entry.mode & 0777));
      return {};
    }
  }
  return {};
}

Result<> BackupSpool::content(ByteView bytes) {
  return file_->append(bytes);
}

Result<> BackupSpool::end_entry() {
  file_.reset();
  return {};
}

void BackupSpool::progress(uint64_t bytes) {
  if (progress_) progress_(bytes, std::max(bytes, start_.estimated_bytes()));
}

}  // namespace varve
