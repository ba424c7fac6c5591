#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "fs/system_user.h"
#include "server/restore_cluster.h"

namespace varve {
namespace {

struct Options {
  std::string timeline;
  std::string to;
  PointOptions at;
  std::vector<std::string> tablespaces;
  std::vector<std::string> databases;
  bool keep_config = false;
};

// OLD=NEW, as pg_basebackup takes it.
Result<TablespaceMapping> parse_mapping(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' is not a tablespace mapping: expected OLD=NEW, directories", text);
  }
  return TablespaceMapping{.tablespace = text.substr(0, equals),
                           .location = text.substr(equals + 1)};
}

// As root, the data directory must belong to someone else: PostgreSQL refuses to run as root.
Result<std::optional<SystemUser>> find_owner(const std::string& name) {
  if (geteuid() != 0) return std::nullopt;
  const auto user = find_system_user(name);
  if (!user.ok()) {
    return user.error().context("nobody can own the data directory; name a user with --pg-user");
  }
  return *user;
}

std::string timeline_name(const Json& timeline) {
  return timeline.at("tenant_id").get<std::string>() + "/" +
         timeline.at("timeline_id").get<std::string>();
}

Result<RestoreReport> restore(const CommonOptions& common, const Options& options) {
  RestoreRequest request{
      .timeline = options.timeline,
      .to = options.to,
      .options = {
          .databases = options.databases, .keep_config = options.keep_config, .stop = common.stop}};
  VARVE_ASSIGN(request.at, options.at.point());
  for (const std::string& text : options.tablespaces) {
    VARVE_ASSIGN(auto mapping, parse_mapping(text));
    request.options.tablespaces.push_back(std::move(mapping));
  }
  ProgressDisplay display("restore: wrote");
  const ProgressCallback progress = [&](const Progress& now) {
    display.update(now.bytes_done, now.bytes_total);
  };
  if (!common.remote.empty()) {
    Settings settings;
    common.overrides.apply(settings);
    settings.remote = common.remote;
    VARVE_TRY(check_settings(settings));
    VARVE_ASSIGN(request.options.owner, find_owner(settings.pg_user));
    return restore_from_remote(settings, request, common.call(), progress);
  }
  VARVE_ASSIGN(const auto service, common.open_service());
  VARVE_ASSIGN(Settings settings, WorkDirectory::read_settings(common.work_directory));
  common.overrides.apply(settings);
  VARVE_ASSIGN(request.options.owner, find_owner(settings.pg_user));
  return restore_cluster(*service, request, progress);
}

}  // namespace

void add_restore_command(const Command& root) {
  const auto options = std::make_shared<Options>();
  const Command command =
      root.leaf("restore", "Write a data directory that PostgreSQL 15 starts on");
  CommonOptions& common = *root.common;
  command.app->add_option("TENANT/TIMELINE", options->timeline, "IDs or names")->required();
  command.app->add_option("--to", options->to, "The data directory to make; absent or empty")
      ->required();
  options->at.add_to(command, "The state to restore");
  command.app
      ->add_option("--tablespace-mapping", options->tablespaces,
                   "OLD=NEW: put the tablespace of directory OLD, or with the OID OLD, into NEW "
                   "(default: inside the data directory)")
      ->allow_extra_args(false);
  command.app
      ->add_option("--db", options->databases,
                   "Restore this database, and leave others empty; may be repeated (default: all)")
      ->allow_extra_args(false);
  command.app->add_flag("--keep-config", options->keep_config,
                        "Keep the source's archiving, replication and subscriptions switched on");
  CLI::Option* work_directory =
      command.app
          ->add_option("--workdir", common.work_directory,
                       "The work directory; or --remote, which needs none")
          ->envname("VARVE_WORKDIR");
  CLI::Option* remote = command.app->add_option(
      "--remote", common.remote,
      "Restore straight from a remote storage: file:///path or s3://bucket/prefix");
  command.with_settings({"log_level", "pg_user", "pg_bindir", "redo_processes"})
      .with_json()
      .run([&common, options, work_directory, remote]() -> Result<> {
        if (remote->count() == 0 && work_directory->count() == 0) {
          throw CLI::RequiredError("--workdir or --remote");
        }
        VARVE_ASSIGN(const RestoreReport report, restore(common, *options));
        if (common.json) {
          print_json(to_json(report));
        } else {
          fmt::print(
              "{} holds timeline {} at {}: {} in {} files, {} databases. Start it with\n"
              "  pg_ctl -D {} start\n",
              options->to, timeline_name(report.timeline), report.summary.lsn,
              format_bytes(report.summary.bytes), report.summary.files, report.summary.databases,
              options->to);
          if (!report.summary.empty_databases.empty()) {
            fmt::print("Empty, to be dropped with DROP DATABASE: {}\n",
                       fmt::join(report.summary.empty_databases, ", "));
          }
        }
        return {};
      });
}

}  // namespace varve
