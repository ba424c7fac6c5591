#include "server/work_directory.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/bytes.h"
#include "fs/directory.h"
#include "remote_storage/url.h"
#include "server/json.h"
#include "server/pid_file.h"

namespace varve {
namespace {

constexpr char kRequestCountsFileName[] = "requests.json";
constexpr char kScratchDirectoryName[] = "scratch";

// Holds nothing, or what an init leaves that was interrupted: that may be repeated.
Result<bool> is_unused(const std::filesystem::path& path) {
  VARVE_ASSIGN(const auto entries, list_directory(path));
  const std::string leftover = std::string(kSettingsFileName) + std::string(kTemporarySuffix);
  return std::ranges::all_of(entries, [&](const auto& entry) { return entry.name == leftover; });
}

}  // namespace

Result<> WorkDirectory::init(const std::filesystem::path& path, const Settings& settings) {
  VARVE_TRY(check_settings(settings));
  VARVE_ASSIGN(const bool initialised, path_exists(path / kSettingsFileName));
  if (initialised) {
    // By an init, perhaps, that was killed before it came to sync that.
    VARVE_TRY(sync_file_system(path));
    return make_error(ErrorCode::kConflict, "{} is a varve work directory already: edit {} instead",
                      path.string(), (path / kSettingsFileName).string());
  }
  VARVE_ASSIGN(const bool present, path_exists(path));
  if (present) {
    VARVE_ASSIGN(const bool unused, is_unused(path));
    if (!unused) {
      return make_error(ErrorCode::kConflict,
                        "{} is not empty: name a directory that is empty or does not exist",
                        path.string());
    }
  }
  if (!settings.remote.empty()) {
    VARVE_ASSIGN(const RemoteLocation location, parse_remote_url(settings.remote));
    if (const auto* file = std::get_if<FileLocation>(&location)) {
      VARVE_TRY(create_local_root(file->root));
    }
    // A remote that cannot be used is better noticed now than at the first import.
    VARVE_ASSIGN(const auto storage, open_remote_storage(settings.remote));
    VARVE_TRY(storage->list("", "", {}));
  }
  VARVE_TRY(create_directories_durably(path));
  VARVE_TRY(write_file_atomically(path / kSettingsFileName, as_bytes(format_settings(settings))));
  // An init that was interrupted may have made the directory, and not have come to sync its name.
  return present ? sync_file_system(path) : Result<>();
}

Result<Settings> WorkDirectory::read_settings(const std::filesystem::path& path) {
  const auto content = read_file(path / kSettingsFileName);
  if (content.failed_with(ErrorCode::kNotFound)) {
    return make_error(ErrorCode::kNotFound,
                      "{} is not a varve work directory: check the path, or make one with 'varve "
                      "init --workdir {}'",
                      path.string(), path.string());
  }
  if (!content.ok()) return content.error();
  return parse_settings(as_text(*content), (path / kSettingsFileName).string());
}

Result<WorkDirectory> WorkDirectory::open(const std::filesystem::path& path) {
  VARVE_ASSIGN(const bool initialised, path_exists(path / kSettingsFileName));
  // It says so, and names the remedy.
  if (!initialised) VARVE_TRY(read_settings(path));
  VARVE_ASSIGN(DirectoryLock lock, DirectoryLock::acquire(path));
  if (lock.was_abandoned()) {
    // What follows may rest on names that the other had not synced yet.
    spdlog::info("the last process in {} was killed: what it wrote is made durable first",
                 path.string());
    VARVE_TRY(sync_file_system(path));
  }
  // Left by a server that was killed: nobody may look for one there.
  VARVE_ASSIGN(const bool pid_file_left, path_exists(PidFile::path(path)));
  if (pid_file_left) VARVE_TRY(PidFile::remove(path));
  VARVE_ASSIGN(const bool scratch_left, path_exists(path / kScratchDirectoryName));
  if (scratch_left) VARVE_TRY(remove_tree(path / kScratchDirectoryName));
  VARVE_ASSIGN(Settings settings, read_settings(path));
  return WorkDirectory(path, std::move(lock), std::move(settings));
}

std::filesystem::path WorkDirectory::scratch_directory() const {
  return path_ / kScratchDirectoryName;
}

RequestCounts WorkDirectory::read_request_counts() const {
  const auto path = path_ / kRequestCountsFileName;
  auto content = read_file(path);
  if (content.failed_with(ErrorCode::kNotFound)) return {};
  auto counts = content.ok() ? request_counts_from_json(as_text(*content))
                             : Result<RequestCounts>(content.error());
  if (counts.ok()) return *counts;
  spdlog::warn("{} cannot be read, counting begins anew: {}", path.string(),
               counts.error().message());
  return {};
}

Result<> WorkDirectory::write_request_counts(const RequestCounts& counts) const {
  const std::string text = request_counts_to_json(counts);
  return write_file_atomically(path_ / kRequestCountsFileName, as_bytes(text));
}

}  // namespace varve
