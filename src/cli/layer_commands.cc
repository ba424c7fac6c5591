#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "server/layer_report.h"

namespace varve {

void add_layer_commands(const Command& root) {
  const Command layer = root.group("layer", "Layer files");
  const auto path = std::make_shared<std::string>();
  const Command show = layer.leaf("show", "Show what a layer file holds");
  show.app->add_option("FILE", *path, "The file")->required();
  show.with_json().run([&common = *show.common, path]() -> Result<> {
    VARVE_ASSIGN(const LayerReport report, report_layer(*path));
    Json json = to_json(report);
    if (common.json) {
      print_json(json);
      return {};
    }
    const Json groups = json.at("groups");
    json.erase("groups");
    print_fields(json);
    fmt::print("\n");
    print_table(groups, {{"WHAT", "what"}, {"VERSIONS", "versions"}, {"BYTES", "value_bytes"}});
    return {};
  });
}

}  // namespace varve
