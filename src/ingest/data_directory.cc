#include "ingest/data_directory.h"

#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <csignal>

#include "fs/directory.h"
#include "postgres/layout.h"
#include "postgres/wal_segment.h"

namespace varve {
namespace {

constexpr std::string_view kVersionFile = "PG_VERSION";
constexpr std::string_view kLockFile = "postmaster.pid";
constexpr std::string_view kBackupLabel = "backup_label";
constexpr uint64_t kSmallFile = 64 << 10;

std::string first_line(ByteView content) {
  const std::string_view text = as_text(content);
  return std::string(text.substr(0, text.find('\n')));
}

Result<> check_version(const std::filesystem::path& path) {
  auto content = read_file(path / kVersionFile, kSmallFile);
  if (content.failed_with(ErrorCode::kNotFound)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{} is not a PostgreSQL data directory: it has no {}", path.string(),
                      kVersionFile);
  }
  if (!content.ok()) return content.error();
  const std::string version = first_line(*content);
  if (version == kPostgresMajorVersion) return {};
  return make_error(ErrorCode::kInvalidArgument,
                    "{} is a data directory of PostgreSQL {}: only PostgreSQL {} is supported",
                    path.string(), version, kPostgresMajorVersion);
}

std::string stop_advice(const std::filesystem::path& path) {
  return fmt::format("stop it cleanly with: pg_ctl stop -m fast -D {}", path.string());
}

std::string restart_advice(const std::filesystem::path& path) {
  return fmt::format("start the server and stop it cleanly with: pg_ctl stop -m fast -D {}",
                     path.string());
}

bool process_is_alive(pid_t process) {
  return process > 0 && (kill(process, 0) == 0 || errno == EPERM);
}

Result<> check_not_running(const std::filesystem::path& path) {
  auto content = read_file(path / kLockFile, kSmallFile);
  if (content.failed_with(ErrorCode::kNotFound)) return {};
  if (!content.ok()) return content.error();
  const std::string line = first_line(*content);
  pid_t process = 0;
  std::from_chars(line.data(), line.data() + line.size(), process);
  // A stand-alone backend writes its number negated.
  process = std::abs(process);
  if (process_is_alive(process)) {
    return make_error(ErrorCode::kConflict, "the server of {} seems to run, as process {}: {}",
                      path.string(), process, stop_advice(path));
  }
  return make_error(
      ErrorCode::kConflict,
      "the server of {} did not stop cleanly (it left {}, and process {} is gone): {}",
      path.string(), kLockFile, process, restart_advice(path));
}

Result<> check_shut_down(const std::filesystem::path& path, const ControlFile& control_file) {
  switch (control_file.state()) {
    case DatabaseState::kShutDown:
      break;
    case DatabaseState::kShutDownInRecovery:
      return make_error(ErrorCode::kConflict,
                        "the cluster in {} is a standby (\"{}\"): promote it, or import its "
                        "primary; then stop it cleanly with: pg_ctl stop -m fast",
                        path.string(), name(control_file.state()));
    default:
      return make_error(ErrorCode::kConflict,
                        "the cluster in {} was not stopped cleanly (its state is \"{}\"): {}",
                        path.string(), name(control_file.state()), restart_advice(path));
  }
  VARVE_ASSIGN(const bool is_backup, path_exists(path / kBackupLabel));
  if (is_backup) {
    return make_error(ErrorCode::kConflict,
                      "{} is a base backup that was not recovered yet (it has a {}): {}",
                      path.string(), kBackupLabel, restart_advice(path));
  }
  if (control_file.checkpoint().redo != control_file.checkpoint_lsn()) {
    return make_error(ErrorCode::kCorrupted,
                      "the control file in {} contradicts itself: a shutdown checkpoint at {} with "
                      "redo at {}",
                      path.string(), control_file.checkpoint_lsn(), control_file.checkpoint().redo);
  }
  return {};
}

Result<ControlFile> read_control_file(const std::filesystem::path& directory) {
  const auto path = directory / "global" / "pg_control";
  auto content = read_file(path, kSmallFile);
  if (content.failed_with(ErrorCode::kNotFound)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{} is not a PostgreSQL data directory: it has no global/pg_control",
                      directory.string());
  }
  if (!content.ok()) return content.error();
  return ControlFile::parse(*content).context(path.string());
}

}  // namespace

Result<DataDirectory> DataDirectory::open(const std::filesystem::path& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) {
    return system_error(errno, fmt::format("cannot open {}", path.string()));
  }
  if (!S_ISDIR(status.st_mode)) {
    return make_error(ErrorCode::kInvalidArgument, "{} is not a directory", path.string());
  }
  VARVE_TRY(check_version(path));
  VARVE_TRY(check_not_running(path));
  VARVE_ASSIGN(const ControlFile control_file, read_control_file(path));
  VARVE_TRY(check_shut_down(path, control_file));
  const bool group_may_read = (status.st_mode & 0050) == 0050;
  const Lsn start = control_file.checkpoint_lsn();
  VARVE_ASSIGN(const Lsn end, checkpoint_record_end(start, control_file.wal_segment_size()));
  return DataDirectory(path, control_file,
                       {.start = start, .mode = mode_t{group_may_read ? 0750U : 0700U}}, end,
                       /*is_backup=*/false);
}

Result<DataDirectory> DataDirectory::open_backup(const std::filesystem::path& path,
                                                 BaseBackupFacts facts) {
  VARVE_TRY(check_version(path));
  VARVE_ASSIGN(const ControlFile control_file, read_control_file(path));
  const Lsn end = facts.start;
  return DataDirectory(path, control_file, std::move(facts), end, /*is_backup=*/true);
}

std::string DataDirectory::tablespace_location(uint32_t tablespace) const {
  const auto found = facts_.tablespaces.find(tablespace);
  return found == facts_.tablespaces.end() ? "" : found->second;
}

Result<> DataDirectory::check_unchanged() const {
  if (is_backup_) return {};
  VARVE_TRY(check_not_running(path_));
  VARVE_ASSIGN(const ControlFile now, read_control_file(path_));
  if (now == control_file_) return {};
  return make_error(ErrorCode::kConflict,
                    "the cluster in {} was started while it was read: stop it and repeat",
                    path_.string());
}

}  // namespace varve
