#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "remote_storage/url.h"
#include "server/work_directory.h"

namespace varve {

void add_init_command(const Command& root) {
  const Command init = root.leaf(
      "init",
      "Make a work directory with its varve.toml, and the last component of a file:// remote");
  CommonOptions& common = *root.common;
  init.with_work_directory().with_serve_settings().with_json().run([&common]() -> Result<> {
    Settings settings;
    common.overrides.apply(settings);
    if (common.overrides.remote) VARVE_TRY(parse_remote_url(*common.overrides.remote));
    const auto path = std::filesystem::absolute(common.work_directory).lexically_normal();
    VARVE_TRY(WorkDirectory::init(path, settings));
    if (common.json) {
      print_json({{"workdir", path.string()},
                  {"remote", settings.remote.empty() ? Json() : Json(settings.remote)}});
    } else {
      fmt::print("{} is a work directory now; its settings are in {}\n", path.string(),
                 (path / kSettingsFileName).string());
    }
    return {};
  });
}

}  // namespace varve
