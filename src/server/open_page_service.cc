#include "server/open_page_service.h"

#include "server/http/api_client.h"
#include "server/local_page_service.h"

namespace varve {

namespace {

// `held` is why the work directory could not be had.
Result<std::unique_ptr<PageService>> connect(const std::filesystem::path& work_directory,
                                             const Error& held, const SettingOverrides& overrides,
                                             const CallOptions& call) {
  const auto running = PidFile::read(work_directory);
  // Another command holds it, or a server that only just starts or stops.
  if (!running.ok()) return held;
  if (overrides.remote && *overrides.remote != running->remote) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the varve server (process {}) of {} works with the remote storage '{}': "
                      "leave out --remote, or stop the server first",
                      running->pid, work_directory.string(), running->remote);
  }
  VARVE_ASSIGN(auto connection, http::ApiConnection::open(*running, call.stop));
  return std::unique_ptr<PageService>(std::make_unique<http::ApiClient>(std::move(connection)));
}

}  // namespace

Result<std::unique_ptr<PageService>> open_page_service(const std::filesystem::path& work_directory,
                                                       const SettingOverrides& overrides,
                                                       const CallOptions& call) {
  auto directory = WorkDirectory::open(work_directory);
  if (directory.failed_with(ErrorCode::kConflict)) {
    return connect(work_directory, directory.error(), overrides, call);
  }
  if (!directory.ok()) return directory.error();
  Settings settings = directory->settings();
  overrides.apply(settings);
  VARVE_TRY(check_settings(settings));
  VARVE_ASSIGN(auto server, PageServer::open(*std::move(directory),
                                             {.settings = std::move(settings), .call = call}));
  return std::unique_ptr<PageService>(new LocalPageService(std::move(server)));
}

Result<std::unique_ptr<PageService>> find_running_service(
    const std::filesystem::path& work_directory, const SettingOverrides& overrides,
    const CallOptions& call) {
  const auto directory = WorkDirectory::open(work_directory);
  if (directory.failed_with(ErrorCode::kConflict)) {
    return connect(work_directory, directory.error(), overrides, call);
  }
  if (!directory.ok()) return directory.error();
  return std::unique_ptr<PageService>();
}

}  // namespace varve
