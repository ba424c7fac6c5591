// Feeds timelines of a server with records that follow from a seed and their number, and checks
// whether a timeline is what it then must be.
//
//   varve_feeder create --workdir DIR TENANT NAME      a timeline with the first images
//   varve_feeder serve --workdir DIR TENANT/TIMELINE   a server that feeds it, until it is killed;
//                                                      tells "remote LSN" as that advances
//   varve_feeder check --workdir DIR TENANT/TIMELINE   reads it at several LSNs; tells the last one
#include <fmt/format.h>

#include <cstdio>
#include <iostream>

#include <CLI/CLI.hpp>

#include "server/daemon.h"
#include "server/local_timeline_snapshot.h"
#include "timeline/test_support/append_redo.h"

namespace varve {
namespace {

constexpr uint32_t kKeys = 500;
constexpr Lsn kImageLsn{0x1000};
constexpr uint64_t kLsnStep = 16;
constexpr size_t kRecordsAtOnce = 20;

struct Arguments {
  std::filesystem::path work_directory;
  std::string timeline;
  std::string name;
  uint64_t seed = 1;
  uint64_t pause_micros = 0;
  SettingOverrides overrides;
};

// splitmix64.
uint64_t mix(uint64_t value) {
  value += 0x9E3779B97F4A7C15;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

Key key_of(uint32_t number) {
  Key key;
  key.bytes[0] = 5;
  store_big(key.bytes.data() + Key::kSize - sizeof number, number);
  return key;
}

std::string first_image(uint32_t key) {
  return fmt::format("key {}", key);
}

// Record number `i`, from 1 on, ends at lsn_of(i).
struct Record {
  uint32_t key;
  bool is_image;
  std::string value;
};
Lsn lsn_of(uint64_t i) {
  return Lsn{kImageLsn.value + i * kLsnStep};
}
uint64_t number_of(Lsn lsn) {
  return (lsn.value - kImageLsn.value) / kLsnStep;
}
Record record(uint64_t seed, uint64_t i) {
  const uint64_t random = mix(seed * 1'000'003 + i);
  const bool is_image = random % 16 == 0;
  const size_t filling = is_image ? 2000 : 10 + (random >> 8) % 90;
  return {.key = static_cast<uint32_t>((random >> 32) % kKeys),
          .is_image = is_image,
          .value = fmt::format("|{}:{}", i, std::string(filling, static_cast<char>('a' + i % 26)))};
}

std::map<uint32_t, std::string> expected_at(uint64_t seed, uint64_t records) {
  std::map<uint32_t, std::string> values;
  for (uint32_t key = 0; key < kKeys; ++key) values[key] = first_image(key);
  for (uint64_t i = 1; i <= records; ++i) {
    const Record change = record(seed, i);
    std::string& value = values[change.key];
    if (change.is_image) value.clear();
    value += change.value;
  }
  return values;
}

std::string_view end_of(std::string_view value) {
  constexpr size_t kShown = 60;
  return value.substr(value.size() - std::min(value.size(), kShown));
}

Result<std::unique_ptr<PageServer>> open_server(const Arguments& arguments) {
  VARVE_ASSIGN(WorkDirectory directory, WorkDirectory::open(arguments.work_directory));
  Settings settings = directory.settings();
  arguments.overrides.apply(settings);
  return PageServer::open(
      std::move(directory),
      {.settings = settings, .redo = std::make_shared<test_support::AppendRedo>()});
}

Result<> create(const Arguments& arguments) {
  VARVE_ASSIGN(auto server, open_server(arguments));
  LocalPageService service(std::move(server));
  VARVE_ASSIGN(const auto timeline,
               service.start_import(
                   {.tenant = arguments.timeline, .name = arguments.name, .image_lsn = kImageLsn}));
  for (uint32_t key = 0; key < kKeys; ++key) {
    VARVE_TRY(timeline->put_image(key_of(key), as_bytes(first_image(key))));
  }
  VARVE_TRY(timeline->commit({.last_record_lsn = kImageLsn, .system_identifier = 1}, {}, {}));
  return {};
}

void tell(const std::string& line) {
  std::cout << line << std::endl;  // At once: this process is going to be killed.
}

// Tells when more of the timeline is remote.
void watch(PageServer& server, const TenantTimelineId& id, const std::stop_token& stop) {
  Lsn told{0};
  while (system_clock().sleep(std::chrono::milliseconds(1), stop)) {
    const auto state = server.tenants().store().timeline(id)->get();
    if (state->remote_consistent_lsn <= told) continue;
    told = state->remote_consistent_lsn;
    tell(fmt::format("remote {}", told));
  }
}

Result<> serve(const Arguments& arguments) {
  VARVE_ASSIGN(const auto daemon,
               Daemon::start({.work_directory = arguments.work_directory,
                              .overrides = arguments.overrides,
                              .redo = std::make_shared<test_support::AppendRedo>()}));
  PageServer& server = daemon->page_server();
  VARVE_ASSIGN(const TimelineInfo timeline, server.timeline(arguments.timeline));
  VARVE_ASSIGN(const auto feed, server.feed(timeline.id, {}));
  tell(fmt::format("feeding {}", feed->last_record_lsn()));
  const std::jthread watcher(
      [&](const std::stop_token& stop) { watch(server, timeline.id, stop); });
  for (uint64_t i = number_of(feed->last_record_lsn()) + 1;; i += kRecordsAtOnce) {
    std::vector<Record> records;
    for (uint64_t j = i; j < i + kRecordsAtOnce; ++j) records.push_back(record(arguments.seed, j));
    std::vector<Version> versions;
    for (uint64_t j = 0; j < kRecordsAtOnce; ++j) {
      versions.push_back({.key = key_of(records[j].key),
                          .lsn = lsn_of(i + j),
                          .kind = records[j].is_image ? ValueKind::kImage : ValueKind::kRecord,
                          .value = as_bytes(records[j].value)});
    }
    const uint64_t last = i + kRecordsAtOnce - 1;
    VARVE_TRY(feed->ingest({.start = lsn_of(last - 1), .end = lsn_of(last)}, versions, {}));
    system_clock().sleep(std::chrono::microseconds(arguments.pause_micros), {});
  }
}

Result<> check_at(PageServer& server, const Arguments& arguments, const TenantTimelineId& id,
                  Lsn lsn) {
  VARVE_ASSIGN(const auto snapshot, server.timelines().open_snapshot(id, lsn, {}, {}));
  std::map<uint32_t, std::string> found;
  VARVE_TRY(snapshot.reader->scan(KeyRange::all(), lsn, [&](const Key& key, ByteView image) {
    found[load_big<uint32_t>(key.bytes.data() + Key::kSize - sizeof(uint32_t))] = as_text(image);
    return Result<>();
  }));
  const auto expected = expected_at(arguments.seed, number_of(lsn));
  for (const auto& [key, value] : expected) {
    if (found[key] == value) continue;
    return make_error(ErrorCode::kCorrupted, "key {} at {} ends with '{}' and should with '{}'",
                      key, lsn, end_of(found[key]), end_of(value));
  }
  if (found.size() == expected.size()) return {};
  return make_error(ErrorCode::kCorrupted, "there are {} keys at {}, and should be {}",
                    found.size(), lsn, expected.size());
}

Result<> check(const Arguments& arguments) {
  VARVE_ASSIGN(const auto server, open_server(arguments));
  VARVE_ASSIGN(const TimelineInfo timeline, server->timeline(arguments.timeline));
  const Lsn last = timeline.last_record_lsn;
  const Lsn oldest = timeline.metadata.gc_cutoff_lsn;
  std::vector<Lsn> points{last, oldest};
  // And some between, on records' ends.
  const uint64_t records = number_of(last) - number_of(oldest);
  for (uint64_t i = 1; i < 6; ++i) points.push_back(lsn_of(number_of(oldest) + records * i / 6));
  for (const Lsn lsn : points) VARVE_TRY(check_at(*server, arguments, timeline.id, lsn));
  tell(fmt::format("last {}", last));
  return {};
}

int run(int argc, char** argv) {
  CLI::App app("Feeds timelines, and checks them");
  app.require_subcommand(1);
  Arguments arguments;
  Result<> (*chosen)(const Arguments&) = nullptr;
  const auto add = [&](const char* name, Result<> (*action)(const Arguments&)) {
    CLI::App* const command = app.add_subcommand(name);
    command->add_option("TIMELINE", arguments.timeline)->required();
    command->add_option("--workdir", arguments.work_directory)->required();
    command->add_option("--name", arguments.name);
    command->add_option("--remote", arguments.overrides.remote);
    command->add_option("--listen", arguments.overrides.listen);
    command->add_option("--rpo", arguments.overrides.rpo);
    command->add_option("--memory-limit-mib", arguments.overrides.memory_limit_mib);
    command->add_option("--retention-hours", arguments.overrides.retention_hours);
    command->add_option("--retention-mib", arguments.overrides.retention_mib);
    command->add_option("--seed", arguments.seed);
    command->add_option("--pause-micros", arguments.pause_micros);
    command->callback([&chosen, action] { chosen = action; });
  };
  add("create", create);
  add("serve", serve);
  add("check", check);
  CLI11_PARSE(app, argc, argv);
  const auto done = chosen(arguments);
  if (done.ok()) return 0;
  std::cerr << "varve_feeder: " << done.error().message() << '\n';
  return 1;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  return varve::run(argc, argv);
}
