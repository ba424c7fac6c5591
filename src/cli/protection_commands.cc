#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "server/daemon.h"

namespace varve {
namespace {

// With a timeline, `tenant` is TENANT/TIMELINE.
Result<> protect(const CommonOptions& common, const NewProtection& wanted) {
  const bool is_restored = wanted.tenant.contains('/');
  if (is_restored && !wanted.name.empty()) {
    throw CLI::ValidationError(
        "--name", fmt::format("is for a new timeline, and {} is one that is there", wanted.tenant));
  }
  const auto protect_by = [&](PageService& service) -> Result<> {
    Json made;
    if (is_restored) {
      VARVE_ASSIGN(made,
                   service.protect_restored({.timeline = wanted.tenant, .primary = wanted.primary},
                                            common.call()));
    } else {
      ProgressDisplay copying("protect: base backup");
      VARVE_ASSIGN(made, service.protect(wanted, common.call(), [&](uint64_t done, uint64_t total) {
        copying.update(done, total);
      }));
    }
    print_object(common, made);
    return {};
  };
  VARVE_ASSIGN(const auto running,
               find_running_service(common.work_directory, common.overrides, common.call()));
  if (running != nullptr) return protect_by(*running);
  // Somebody has to follow.
  VARVE_ASSIGN(const auto daemon, Daemon::start({.work_directory = common.work_directory,
                                                 .overrides = common.overrides,
                                                 .stop = common.stop}));
  VARVE_TRY(protect_by(daemon->service()));
  std::fflush(stdout);
  return daemon->run(common.stop);
}

void add_protect(const Command& root) {
  const auto wanted = std::make_shared<NewProtection>();
  const Command command =
      root.leaf("protect", "Back up a running primary from now on: base backup, then its WAL");
  command.app
      ->add_option(
          "TENANT[/TIMELINE]", wanted->tenant,
          "ID or name; with a timeline: the primary was restored from it, and goes on with "
          "it")
      ->required();
  command.app
      ->add_option("--primary", wanted->primary,
                   "How to reach it, as libpq has it: \"host=... user=...\" or postgresql://..., a "
                   "role with REPLICATION. The password is better kept in a .pgpass file")
      ->required();
  command.app->add_option("--name", wanted->name, "Of the new timeline, unique within the tenant");
  command.with_work_directory().with_serve_settings().with_json().run(
      [&common = *command.common, wanted] { return protect(common, *wanted); });
}

void add_unprotect(const Command& root) {
  struct Options {
    std::string timeline;
    bool keep_slot = false;
  };
  const auto options = std::make_shared<Options>();
  const Command command =
      root.leaf("unprotect",
                "Stop following a primary, and drop the replication slot there. What was "
                "backed up stays");
  command.app->add_option("TENANT/TIMELINE", options->timeline, "IDs or names")->required();
  command.app->add_flag("--keep-slot", options->keep_slot,
                        "Leave the replication slot, for when the primary cannot be reached");
  command.with_work_directory().with_json().run([&common = *command.common, options]() -> Result<> {
    VARVE_ASSIGN(const auto service, common.open_service());
    VARVE_ASSIGN(const Json timeline,
                 service->unprotect(options->timeline, options->keep_slot, common.call()));
    print_object(common, timeline);
    return {};
  });
}

}  // namespace

void add_protection_commands(const Command& root) {
  add_protect(root);
  add_unprotect(root);
}

}  // namespace varve
