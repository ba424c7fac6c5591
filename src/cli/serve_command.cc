#include <memory>
#include <mutex>

#include "cli/commands.h"
#include "cli/reload_signal.h"
#include "server/daemon.h"

namespace varve {
namespace {

Result<> serve(const CommonOptions& common, const std::string& settings_file) {
  std::mutex mutex;
  std::unique_ptr<Daemon> daemon;
  bool asked_while_starting = false;
  // Also while it starts: that must neither end the process nor be forgotten.
  const ReloadSignal reload([&] {
    const std::lock_guard lock(mutex);
    if (daemon) {
      daemon->reload();
    } else {
      asked_while_starting = true;
    }
  });
  VARVE_ASSIGN(auto started, Daemon::start({.work_directory = common.work_directory,
                                            .settings_file = settings_file,
                                            .overrides = common.overrides,
                                            .stop = common.stop}));
  {
    const std::lock_guard lock(mutex);
    daemon = std::move(started);
    if (asked_while_starting) daemon->reload();
  }
  return daemon->run(common.stop);
}

}  // namespace

void add_serve_command(const Command& root) {
  const Command serve_command = root.leaf(
      "serve", "Serve a work directory: synchronise it all the time, and answer over HTTP");
  const auto settings_file = std::make_shared<std::string>();
  serve_command.app->add_option("--config", *settings_file,
                                "The file with the settings (default: varve.toml in the work "
                                "directory)");
  serve_command.with_work_directory().with_serve_settings().run(
      [&common = *root.common, settings_file] { return serve(common, *settings_file); });
}

}  // namespace varve
