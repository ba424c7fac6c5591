// Feeds a timeline with the WAL in segment files, to its end.
//
//   varve_wal_feeder --workdir DIR --pgdata DIR --wal DIR TENANT/TIMELINE
//
// --pgdata is a data directory of the cluster, whose control file says how its WAL is laid out.
#include <fmt/format.h>

#include <iostream>

#include <CLI/CLI.hpp>

#include "fs/directory.h"
#include "fs/file.h"
#include "ingest/wal/wal_ingester.h"
#include "postgres/wal/stream_decoder.h"
#include "postgres/wal_segment.h"
#include "server/page_server.h"

namespace varve {
namespace {

struct Arguments {
  std::filesystem::path work_directory;
  std::filesystem::path pgdata;
  std::string timeline;
  std::filesystem::path wal;
};

Result<ControlFile> read_control_file(const Arguments& arguments) {
  VARVE_ASSIGN(const Bytes file, read_file(arguments.pgdata / "global/pg_control"));
  return ControlFile::parse(file);
}

Result<std::unique_ptr<PageServer>> open_server(const Arguments& arguments) {
  VARVE_ASSIGN(WorkDirectory directory, WorkDirectory::open(arguments.work_directory));
  const Settings settings = directory.settings();
  return PageServer::open(std::move(directory), {.settings = settings});
}

class FeedTarget : public WalTarget {
 public:
  explicit FeedTarget(TimelineFeed& feed) : feed_(feed) {}
  Result<> ingest(Lsn start, Lsn end, std::span<const Version> versions) override {
    return feed_.ingest({.start = start, .end = end}, versions, {});
  }
  VersionSource& source() override { return feed_.source(); }

 private:
  TimelineFeed& feed_;
};

struct Fed {
  uint64_t records = 0;
  Lsn first;
  Lsn last;
};
Result<Fed> feed_files(const Arguments& arguments, const ControlFile& control, TimelineFeed& feed) {
  FeedTarget target(feed);
  Fed fed{.first = feed.last_record_lsn(), .last = feed.last_record_lsn()};
  VARVE_ASSIGN(WalIngester ingester, WalIngester::open(target, fed.last, {}));
  const uint32_t timeline = control.checkpoint().timeline;
  const uint32_t size = control.wal_segment_size();
  VARVE_ASSIGN(auto decoder,
               WalStreamDecoder::create({.position = fed.last,
                                         .wal_segment_size = size,
                                         .system_identifier = control.system_identifier(),
                                         .timeline = timeline}));
  while (!decoder.stop()) {
    const auto path = arguments.wal / wal_segment_name(timeline, decoder.position(), size);
    VARVE_ASSIGN(const bool is_there, path_exists(path));
    if (!is_there) break;
    VARVE_ASSIGN(const Bytes segment, read_file(path, size));
    ByteView input = ByteView(segment).subspan(decoder.position().value % size);
    while (!input.empty()) {
      auto record = decoder.next(input);
      if (!record.ok()) {
        // Where nothing was written yet, the WAL ends.
        if (decoder.stop() == WalStop::kInvalid) return record.error();
        break;
      }
      if (!*record) break;
      VARVE_TRY(ingester.ingest(**record));
      ++fed.records;
    }
  }
  VARVE_TRY(ingester.flush());
  fed.last = ingester.last_record();
  return fed;
}

Result<> feed(const Arguments& arguments) {
  VARVE_ASSIGN(const ControlFile control, read_control_file(arguments));
  VARVE_ASSIGN(auto server, open_server(arguments));
  VARVE_ASSIGN(const TimelineInfo timeline, server->timeline(arguments.timeline));
  Fed fed;
  {
    VARVE_ASSIGN(const auto feed, server->feed(timeline.id, {}));
    const BootTime begin = system_clock().boot_time();
    VARVE_ASSIGN(fed, feed_files(arguments, control, *feed));
    const Duration taken = system_clock().boot_time() - begin;
    VARVE_TRY(server->checkpoint(timeline.id, {}, {}));
    fmt::print(
        "{{\"records\": {}, \"first_lsn\": \"{}\", \"last_record_lsn\": \"{}\", "
        "\"seconds\": {:.3f}}}\n",
        fed.records, fed.first, fed.last, std::chrono::duration<double>(taken).count());
  }
  return {};
}

int run(int argc, char** argv) {
  CLI::App app("Feeds a timeline with WAL");
  Arguments arguments;
  app.add_option("TIMELINE", arguments.timeline)->required();
  app.add_option("--workdir", arguments.work_directory)->required();
  app.add_option("--pgdata", arguments.pgdata, "a data directory of the cluster")->required();
  app.add_option("--wal", arguments.wal)->required();
  CLI11_PARSE(app, argc, argv);
  const auto done = feed(arguments);
  if (done.ok()) return 0;
  std::cerr << "varve_wal_feeder: " << done.error().message() << '\n';
  return 1;
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  return varve::run(argc, argv);
}
