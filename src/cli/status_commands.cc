#include <fmt/format.h>

#include <map>
#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace varve {
namespace {

void print_timelines(Json timelines) {
  for (Json& timeline : timelines) {
    const auto primary = timeline.find("primary");
    timeline["following"] = primary == timeline.end() ? Json() : primary->at("state");
  }
  print_table(timelines, {{"TENANT", "tenant_id"},
                          {"TIMELINE", "timeline_id"},
                          {"NAME", "name"},
                          {"STATE", "state"},
                          {"PRIMARY", "following"},
                          {"LAST LSN", "last_record_lsn"},
                          {"REMOTE LSN", "remote_consistent_lsn"}});
}

// Why timelines do not follow their primaries.
void print_failures(const Json& timelines) {
  for (const Json& timeline : timelines) {
    const auto primary = timeline.find("primary");
    if (primary == timeline.end() || primary->at("state") == "streaming") continue;
    if (primary->at("error").is_null()) continue;
    fmt::print("\n{}/{}: {}\n", timeline.at("tenant_id").get<std::string>(),
               timeline.at("timeline_id").get<std::string>(),
               primary->at("error").get<std::string>());
  }
}

void print_status(const Json& status) {
  const auto number = [&](const char* key) { return status.at(key).get<uint64_t>(); };
  print_timelines(status.at("timelines"));
  print_failures(status.at("timelines"));
  fmt::print("\n{} to be synchronised; {} stored remotely\n", number("queue_length"),
             format_bytes(number("stored_bytes")));
  std::string requests;
  for (const auto& [kind, count] : status.at("requests").items()) {
    if (count.get<uint64_t>() > 0) requests += fmt::format("{} {}, ", count.get<uint64_t>(), kind);
  }
  fmt::print("requests so far: {}{} sent, {} received, ${:.6f} at the prices of S3\n", requests,
             format_bytes(number("bytes_sent")), format_bytes(number("bytes_received")),
             status.at("cost_usd").get<double>());
}

void add_status(const Command& root) {
  const auto address = std::make_shared<std::string>();
  const Command status =
      root.leaf("status", "States, LSNs, what is left to do, requests and what they cost");
  status.app->add_option("TENANT/TIMELINE", *address, "Only this timeline: IDs or names");
  status.with_work_directory().with_json().run([&common = *status.common, address]() -> Result<> {
    VARVE_ASSIGN(const auto service, common.open_service());
    VARVE_ASSIGN(const Json report,
                 service->status(address->empty() ? std::nullopt : std::optional(*address)));
    common.json ? print_json(report) : print_status(report);
    return {};
  });
}

void add_wait(const Command& root) {
  struct Options {
    std::string timeline;
    std::string lsn;
    WaitGoal goal = WaitGoal::kRemote;
    double timeout_seconds = 0;
  };
  static const std::map<std::string, WaitGoal> kGoals{
      {std::string(name(WaitGoal::kIngested)), WaitGoal::kIngested},
      {std::string(name(WaitGoal::kCheckpointed)), WaitGoal::kCheckpointed},
      {std::string(name(WaitGoal::kRemote)), WaitGoal::kRemote}};
  const auto options = std::make_shared<Options>();
  const Command wait = root.leaf("wait", "Wait until a timeline has reached an LSN");
  wait.app->add_option("TENANT/TIMELINE", options->timeline, "IDs or names")->required();
  wait.app->add_option("--lsn", options->lsn, "The LSN to wait for")->required()->check(check_lsn);
  wait.app->add_option("--for", options->goal, "ingested, checkpointed or remote")
      ->required()
      ->transform(CLI::CheckedTransformer(kGoals));
  CLI::Option* timeout =
      wait.app->add_option("--timeout", options->timeout_seconds, "Seconds (default: no limit)")
          ->check(CLI::NonNegativeNumber);
  wait.with_work_directory().with_json().run(
      [&common = *wait.common, options, timeout]() -> Result<> {
        VARVE_ASSIGN(const Lsn lsn, Lsn::parse(options->lsn));
        CallOptions call = common.call();
        if (timeout->count() > 0) {
          call.deadline = Deadline::after(std::chrono::duration_cast<Duration>(
              std::chrono::duration<double>(options->timeout_seconds)));
        }
        VARVE_ASSIGN(const auto service, common.open_service());
        ProgressDisplay display("wait: transferred");
        VARVE_ASSIGN(
            const Json reached,
            service->wait({.timeline = options->timeline, .lsn = lsn, .goal = options->goal}, call,
                          [&](uint64_t done, uint64_t total) { display.update(done, total); }));
        print_object(common, reached);
        return {};
      });
}

}  // namespace

void add_status_commands(const Command& root) {
  add_status(root);
  add_wait(root);
}

}  // namespace varve
