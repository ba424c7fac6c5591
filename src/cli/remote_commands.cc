#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "remote_storage/streams.h"
#include "server/remote_access.h"
#include "server/remote_tool.h"
#include "storage_sync/verify.h"

namespace varve {
namespace {

Result<std::unique_ptr<RemoteAccess>> open_remote(const CommonOptions& common) {
  return RemoteAccess::open({.url = common.remote});
}

void add_ls(const Command& remote) {
  const auto prefix = std::make_shared<std::string>();
  const Command ls = remote.leaf("ls", "List the objects");
  ls.app->add_option("PREFIX", *prefix, "Only keys that start with it");
  ls.with_remote().with_json().run([&common = *ls.common, prefix]() -> Result<> {
    VARVE_ASSIGN(const auto access, open_remote(common));
    VARVE_ASSIGN(const auto objects, list_all(access->context().storage, *prefix, common.call()));
    Json json = Json::array();
    for (const ObjectInfo& object : objects) {
      const auto name_of_key = ObjectName::parse(object.key);
      json.push_back({{"key", object.key},
                      {"size", object.size},
                      {"last_modified", object.last_modified.to_string()},
                      {"kind", name_of_key.ok() ? Json(name(name_of_key->kind)) : Json()}});
    }
    if (common.json) {
      print_json(json);
    } else {
      print_table(
          json,
          {{"SIZE", "size"}, {"LAST MODIFIED", "last_modified"}, {"KIND", "kind"}, {"KEY", "key"}});
    }
    return {};
  });
}

void add_show(const Command& remote) {
  const auto key = std::make_shared<std::string>();
  const Command show = remote.leaf("show", "Show what an object says of itself");
  show.app->add_option("OBJECT", *key, "Its key")->required();
  show.with_remote().with_json().run([&common = *show.common, key]() -> Result<> {
    VARVE_ASSIGN(const auto access, open_remote(common));
    VARVE_ASSIGN(const ShownObject object,
                 show_object(access->context().storage, *key, common.call()));
    const Json json = to_json(object);
    common.json ? print_json(json) : fmt::print("{}\n", json.dump(2));
    return {};
  });
}

void add_extract(const Command& remote) {
  const auto request = std::make_shared<ExtractRequest>();
  const Command extract = remote.leaf("extract", "Write the members of an object as files");
  extract.app->add_option("OBJECT", request->key, "Its key")->required();
  extract.app->add_option("--member", request->members, "Only this member; may be repeated")
      ->allow_extra_args(false);
  extract.app->add_option("--to", request->to, "The directory to write into (default: this one)")
      ->default_val(".");
  extract.with_remote().with_json().run([&common = *extract.common, request]() -> Result<> {
    VARVE_ASSIGN(const auto access, open_remote(common));
    VARVE_ASSIGN(const auto members, extract_members(access->context(), *request, common.call()));
    if (common.json) {
      print_json(to_json_array(members));
    } else {
      for (const LayerEntry& member : members) {
        fmt::print("{}\n", (request->to / member.name.to_string()).string());
      }
    }
    return {};
  });
}

void print_finding(const Finding& finding) {
  std::string place = finding.object;
  if (!finding.member.empty()) place += ", member " + finding.member;
  if (finding.frames) {
    const FrameRun& frames = *finding.frames;
    place += frames.first == frames.last
                 ? fmt::format(", frame {}", frames.first)
                 : fmt::format(", frames {} to {}", frames.first, frames.last);
    place +=
        fmt::format(" (bytes {} to {} of the layer)", frames.layer_start, frames.layer_end - 1);
  }
  std::string severity(name(finding.severity));
  std::ranges::replace(severity, '_', ' ');
  fmt::print("{}, {}: {}: {}\n", severity, name(finding.kind), place, finding.detail);
}

void print_report(const VerifyReport& report) {
  for (size_t i = 0; i < report.findings.size(); ++i) {
    print_finding(report.findings[i]);
    // Neighbours are often remedied together.
    if (i + 1 == report.findings.size() ||
        report.findings[i + 1].remedy != report.findings[i].remedy) {
      fmt::print("    to do: {}\n", report.findings[i].remedy);
    }
  }
  fmt::print("{} objects, {} stored, {} of members read: {}\n", report.objects,
             format_bytes(report.bytes_stored), format_bytes(report.bytes_read),
             report.damaged() ? "DAMAGED" : "intact");
}

void add_verify(const Command& remote) {
  const auto options = std::make_shared<VerifyOptions>();
  const Command verify = remote.leaf("verify", "Check every object and reference");
  verify.app->add_flag_callback(
      "--deep", [options] { options->depth = VerifyDepth::kEveryByte; }, "Read every byte as well");
  verify.app->add_option("--jobs", options->jobs, "How many objects and members to check at once")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  verify.with_remote().with_json().run([&common = *verify.common, options]() -> Result<> {
    VARVE_ASSIGN(const auto access, open_remote(common));
    ProgressDisplay display("verify: checked");
    const auto show = [&](const VerifyProgress& progress) {
      display.update(
          progress.bytes_done, progress.bytes_total,
          fmt::format("{} of {} objects", progress.objects_done, progress.objects_total));
    };
    VARVE_ASSIGN(const VerifyReport report,
                 verify_remote(access->context().storage, *options, show, common.call()));
    common.json ? print_json(to_json(report)) : print_report(report);
    if (!report.damaged()) return {};
    return make_error(ErrorCode::kCorrupted,
                      "objects are damaged or missing: what to do is said with each of them");
  });
}

}  // namespace

void add_remote_commands(const Command& root) {
  const Command remote =
      root.group("remote", "The archive tool: looks at a remote storage, needs no work directory");
  add_ls(remote);
  add_show(remote);
  add_extract(remote);
  add_verify(remote);
}

}  // namespace varve
