#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "server/import_cluster.h"

namespace varve {
namespace {

ByteProgress show(ProgressDisplay& display) {
  return [&display](uint64_t done, uint64_t total) { display.update(done, total); };
}

void add_import(const Command& timeline) {
  struct Options {
    std::string tenant;
    std::string name;
    std::string data_directory;
    bool skip_checksums = false;
  };
  const auto options = std::make_shared<Options>();
  const Command import =
      timeline.leaf("import", "Make a timeline from a cleanly stopped PostgreSQL 15 cluster");
  import.app->add_option("TENANT", options->tenant, "ID or name")->required();
  import.app->add_option("--pgdata", options->data_directory, "The data directory of the cluster")
      ->required();
  import.app->add_option("--name", options->name, "A name, unique within the tenant");
  import.app->add_flag("--no-verify-checksums", options->skip_checksums,
                       "Take pages as they are, even damaged ones");
  import.with_work_directory().with_json().run([&common = *import.common, options]() -> Result<> {
    VARVE_ASSIGN(const auto service, common.open_service());
    ProgressDisplay reading("import: read");
    ProgressDisplay sending("import: uploaded");
    VARVE_ASSIGN(
        const Json made,
        import_cluster(
            *service,
            {.tenant = options->tenant,
             .name = options->name,
             .data_directory = options->data_directory,
             .options = {.verify_checksums = !options->skip_checksums, .stop = common.stop}},
            common.call(),
            [&](const Progress& progress) {
              reading.update(progress.bytes_done, progress.bytes_total);
            },
            show(sending)));
    print_object(common, made);
    return {};
  });
}

void add_branch(const Command& timeline) {
  struct Options {
    std::string parent;
    PointOptions at;
    std::string name;
  };
  const auto options = std::make_shared<Options>();
  const Command branch =
      timeline.leaf("branch", "Make a timeline that goes on from another one, without copying it");
  branch.app->add_option("TENANT/PARENT", options->parent, "IDs or names")->required();
  options->at.add_to(branch, "Where it begins");
  branch.app->add_option("--name", options->name, "A name, unique within the tenant");
  branch.with_work_directory().with_json().run([&common = *branch.common, options]() -> Result<> {
    VARVE_ASSIGN(const auto service, common.open_service());
    NewBranch wanted{.parent = options->parent, .name = options->name};
    VARVE_ASSIGN(wanted.at, options->at.point());
    VARVE_ASSIGN(const Json made, service->branch(wanted));
    print_object(common, made);
    return {};
  });
}

void add_pin(const Command& timeline) {
  struct Options {
    std::string address;
    PointOptions at;
  };
  const auto options = std::make_shared<Options>();
  const Command pin =
      timeline.leaf("pin", "Keep an LSN readable for good, whatever garbage is collected");
  pin.app->add_option("TENANT/TIMELINE", options->address, "IDs or names")->required();
  options->at.add_to(pin, "What to keep");
  pin.with_work_directory().with_json().run([&common = *pin.common, options]() -> Result<> {
    VARVE_ASSIGN(const auto service, common.open_service());
    PinRequest wanted{.timeline = options->address};
    VARVE_ASSIGN(wanted.at, options->at.point());
    VARVE_ASSIGN(const Json made, service->pin(wanted));
    print_object(common, made);
    return {};
  });
}

void add_unpin(const Command& timeline) {
  struct Options {
    std::string address;
    std::string lsn;
  };
  const auto options = std::make_shared<Options>();
  const Command unpin = timeline.leaf("unpin", "Let a pinned LSN go when its time has come");
  unpin.app->add_option("TENANT/TIMELINE", options->address, "IDs or names")->required();
  unpin.app->add_option("--lsn", options->lsn, "What was pinned")->required()->check(check_lsn);
  unpin.with_work_directory().with_json().run([&common = *unpin.common, options]() -> Result<> {
    VARVE_ASSIGN(const auto service, common.open_service());
    VARVE_ASSIGN(const Lsn lsn, Lsn::parse(options->lsn));
    VARVE_ASSIGN(const Json gone, service->unpin(options->address, lsn));
    print_object(common, gone);
    return {};
  });
}

void add_list(const Command& timeline) {
  const auto tenant = std::make_shared<std::string>();
  const Command list = timeline.leaf("list", "List the timelines of a tenant");
  list.app->add_option("TENANT", *tenant, "ID or name")->required();
  list.with_work_directory().with_json().run([&common = *list.common, tenant]() -> Result<> {
    VARVE_ASSIGN(const auto service, common.open_service());
    VARVE_ASSIGN(const Json json, service->timelines(*tenant));
    if (common.json) {
      print_json(json);
    } else {
      print_table(json, {{"TIMELINE", "timeline_id"},
                         {"NAME", "name"},
                         {"STATE", "state"},
                         {"LAST LSN", "last_record_lsn"},
                         {"REMOTE LSN", "remote_consistent_lsn"},
                         {"LAYERS", "layers"},
                         {"CREATED", "created_at"}});
    }
    return {};
  });
}

// The commands whose only argument is a timeline.
using TimelineAction = std::function<Result<>(const CommonOptions&, const std::string& address)>;
void add_simple(const Command& timeline, const std::string& name, const std::string& description,
                TimelineAction action) {
  const auto address = std::make_shared<std::string>();
  const Command command = timeline.leaf(name, description);
  command.app->add_option("TENANT/TIMELINE", *address, "IDs or names")->required();
  command.with_work_directory().with_json().run(
      [&common = *command.common, address, action = std::move(action)] {
        return action(common, *address);
      });
}

Result<> show_timeline(const CommonOptions& common, const std::string& address) {
  VARVE_ASSIGN(const auto service, common.open_service());
  VARVE_ASSIGN(const Json found, service->timeline(address));
  print_object(common, found);
  return {};
}

Result<> list_pins(const CommonOptions& common, const std::string& address) {
  VARVE_ASSIGN(const auto service, common.open_service());
  VARVE_ASSIGN(const Json pins, service->pins(address));
  if (common.json) {
    print_json(pins);
  } else {
    print_table(pins, {{"LSN", "lsn"}, {"CREATED", "created_at"}});
  }
  return {};
}

Result<> checkpoint(const CommonOptions& common, const std::string& address) {
  VARVE_ASSIGN(const auto service, common.open_service());
  Json now;
  {
    ProgressDisplay sending("checkpoint: uploaded");
    VARVE_ASSIGN(now, service->checkpoint(address, common.call(), show(sending)));
  }
  print_object(common, now);
  return {};
}

Result<> prefetch(const CommonOptions& common, const std::string& address) {
  VARVE_ASSIGN(const auto service, common.open_service());
  Json now;
  {
    ProgressDisplay fetching("prefetch: downloaded");
    VARVE_ASSIGN(now, service->prefetch(address, common.call(), show(fetching)));
  }
  print_object(common, now);
  return {};
}

Result<> drop_local(const CommonOptions& common, const std::string& address) {
  VARVE_ASSIGN(const auto service, common.open_service());
  VARVE_ASSIGN(const Json freed, service->drop_local(address));
  print_object(common, freed);
  return {};
}

Result<> collect_garbage(const CommonOptions& common, const std::string& address) {
  VARVE_ASSIGN(const auto service, common.open_service());
  VARVE_ASSIGN(const Json collected, service->collect_garbage(address, common.call()));
  print_object(common, collected);
  const auto failed = collected.at("failed_objects").get<uint64_t>();
  if (failed == 0) return {};
  return make_error(ErrorCode::kUnavailable, "{} objects could not be deleted: {}", failed,
                    collected.at("failure").get<std::string>());
}

Result<> remove(const CommonOptions& common, const std::string& address) {
  VARVE_ASSIGN(const auto service, common.open_service());
  VARVE_ASSIGN(const Json deleted, service->delete_timeline(address));
  if (common.json) {
    print_json(deleted);
  } else {
    fmt::print("timeline {}/{} is deleted\n", deleted.at("tenant_id").get<std::string>(),
               deleted.at("timeline_id").get<std::string>());
  }
  return {};
}

}  // namespace

void add_timeline_commands(const Command& root) {
  const Command timeline = root.group("timeline", "Timelines: the history of one cluster each");
  add_import(timeline);
  add_branch(timeline);
  add_list(timeline);
  add_pin(timeline);
  add_unpin(timeline);
  add_simple(timeline, "show", "Show a timeline", show_timeline);
  add_simple(timeline, "pins", "List the LSNs that are kept for good", list_pins);
  add_simple(timeline, "checkpoint", "Bring what is local only into the remote storage",
             checkpoint);
  add_simple(timeline, "prefetch", "Bring what is remote only into the work directory", prefetch);
  add_simple(timeline, "drop-local", "Free the local copies of what is remote", drop_local);
  add_simple(timeline, "gc", "Give up what is not to be kept, here and in the remote storage",
             collect_garbage);
  add_simple(timeline, "delete", "Delete a timeline for good", remove);
}

}  // namespace varve
