#include "server/wal_redo_service.h"

#include <spdlog/spdlog.h>

#include "ingest/wal_redo.h"

namespace varve {
namespace {

// Beside this program, as it is built, or where packages put what is not to be run by itself.
std::filesystem::path find_library() {
  constexpr std::string_view kName = "varve_redo.so";
  std::error_code error;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  const std::filesystem::path beside = folder / kName;
  const std::filesystem::path installed = folder.parent_path() / "lib/varve" / kName;
  return !std::filesystem::exists(beside, error) && std::filesystem::exists(installed, error)
             ? installed
             : beside;
}

RedoProcessPoolOptions pool_options(const Settings& settings,
                                    const WalRedoService::Options& options) {
  return {.process = {.postgres_directory = settings.pg_bindir,
                      .library = find_library(),
                      .user = settings.pg_user,
                      .scratch_parent = options.scratch_directory},
          .processes = static_cast<size_t>(settings.redo_processes),
          .metrics = options.metrics};
}

}  // namespace

WalRedoService::WalRedoService(const Settings& settings, const Options& options)
    : processes_(std::make_shared<RedoProcessPool>(pool_options(settings, options))),
      redo_(std::make_shared<WalRedo>(processes_)),
      on_stop_(options.stop, [this] { stop(); }) {}

void WalRedoService::start() {
  starter_ = std::jthread([this] {
    const auto started = processes_->start();
    if (started.ok() || started.failed_with(ErrorCode::kCancelled)) return;
    spdlog::warn("timelines that hold WAL cannot be read, only imported ones can: {}",
                 started.error().message());
  });
}

}  // namespace varve
