#include <fmt/format.h>

#include <map>
#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace varve {
namespace {

void print_status(const StatusReport& status) {
  const Json json = to_json(status);
  print_table(json.at("timelines"), {{"TENANT", "tenant_id"},
                                     {"TIMELINE", "timeline_id"},
                                     {"NAME", "name"},
                                     {"STATE", "state"},
                                     {"LAST LSN", "last_record_lsn"},
                                     {"REMOTE LSN", "remote_consistent_lsn"}});
  fmt::print("\n{} to be synchronised; {} stored remotely\n", status.queue_length,
             format_bytes(status.stored_bytes));
  std::string requests;
  for (const auto& [kind, count] : json.at("requests").items()) {
    if (count.get<uint64_t>() > 0) requests += fmt::format("{} {}, ", count.get<uint64_t>(), kind);
  }
  fmt::print("requests so far: {}{} sent, {} received, ${:.6f} at the prices of S3\n", requests,
             format_bytes(status.requests.bytes_sent), format_bytes(status.requests.bytes_received),
             status.cost_usd);
}

void add_status(const Command& root) {
  const auto address = std::make_shared<std::string>();
  const Command status =
      root.leaf("status", "States, LSNs, what is left to do, requests and what they cost");
  status.app->add_option("TENANT/TIMELINE", *address, "Only this timeline: IDs or names");
  status.with_work_directory().with_json().run([&common = *status.common, address]() -> Result<> {
    VARVE_ASSIGN(const auto server, common.open_server());
    VARVE_ASSIGN(const StatusReport report,
                 server->status(address->empty() ? std::nullopt : std::optional(*address)));
    common.json ? print_json(to_json(report)) : print_status(report);
    return {};
  });
}

void add_wait(const Command& root) {
  struct Options {
    std::string timeline;
    std::string lsn;
    WaitFor what = WaitFor::kRemote;
    double timeout_seconds = 0;
  };
  static const std::map<std::string, WaitFor> kGoals{{"ingested", WaitFor::kIngested},
                                                     {"checkpointed", WaitFor::kCheckpointed},
                                                     {"remote", WaitFor::kRemote}};
  const auto options = std::make_shared<Options>();
  const Command wait = root.leaf("wait", "Wait until a timeline has reached an LSN");
  wait.app->add_option("TENANT/TIMELINE", options->timeline, "IDs or names")->required();
  wait.app->add_option("--lsn", options->lsn, "The LSN to wait for")->required()->check(check_lsn);
  wait.app->add_option("--for", options->what, "ingested, checkpointed or remote")
      ->required()
      ->transform(CLI::CheckedTransformer(kGoals));
  CLI::Option* timeout =
      wait.app->add_option("--timeout", options->timeout_seconds, "Seconds (default: no limit)")
          ->check(CLI::NonNegativeNumber);
  wait.with_work_directory().with_json().run([&common = *wait.common, options,
                                              timeout]() -> Result<> {
    VARVE_ASSIGN(const Lsn lsn, Lsn::parse(options->lsn));
    CallOptions call = common.call();
    if (timeout->count() > 0) {
      call.deadline = Deadline::after(std::chrono::duration_cast<Duration>(
          std::chrono::duration<double>(options->timeout_seconds)));
    }
    VARVE_ASSIGN(const auto server, common.open_server());
    ProgressDisplay display("wait: transferred");
    VARVE_ASSIGN(const TimelineInfo reached,
                 server->wait(options->timeline, lsn, options->what, call,
                              [&](uint64_t done, uint64_t total) { display.update(done, total); }));
    const Json json = to_json(reached);
    common.json ? print_json(json) : print_fields(json);
    return {};
  });
}

}  // namespace

void add_status_commands(const Command& root) {
  add_status(root);
  add_wait(root);
}

}  // namespace varve
