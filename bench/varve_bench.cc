// Makes one measurement and prints it as one JSON document. bench/run calls it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "base/logging.h"
#include "measurement.h"

namespace varve::bench {
namespace {

int run(int argc, char** argv) {
  CLI::App app("Single measurements of the library, as JSON", "varve_bench");
  app.require_subcommand(1);
  Result<Json> result = Json();

  std::filesystem::path layers;
  std::string url;
  CLI::App* upload = app.add_subcommand("upload", "Upload a directory of layer files");
  upload->add_option("LAYERS", layers)->required();
  upload->add_option("URL", url)->required();
  upload->callback([&] { result = measure_upload(layers, url); });

  std::filesystem::path file;
  std::string key;
  CLI::App* put = app.add_subcommand("put", "Store a file as one object");
  put->add_option("FILE", file)->required();
  put->add_option("URL", url)->required();
  put->add_option("KEY", key)->required();
  put->callback([&] { result = measure_put(file, url, key); });
  CLI::App* get = app.add_subcommand("get", "Read an object into a file");
  get->add_option("URL", url)->required();
  get->add_option("KEY", key)->required();
  get->add_option("FILE", file)->required();
  get->callback([&] { result = measure_get(url, key, file); });

  StartUpOptions start_up;
  CLI::App* start = app.add_subcommand("startup", "Open work directories with many timelines");
  start->add_option("--timelines", start_up.timelines)->capture_default_str();
  start->add_option("--tenants", start_up.tenants)->capture_default_str();
  start->add_option("--archives", start_up.archives)->capture_default_str();
  start->add_option("--remote", start_up.url, "An empty storage (default: in memory)");
  start->add_option("--scratch", start_up.scratch, "An empty directory")->required();
  start->callback([&] { result = measure_start_up(start_up); });

  CheckpointOptions checkpoints;
  size_t latency = 50;
  CLI::App* queue = app.add_subcommand("checkpoints", "Upload many queued checkpoints");
  queue->add_option("--checkpoints", checkpoints.checkpoints)->capture_default_str();
  queue->add_option("--timelines", checkpoints.timelines)->capture_default_str();
  queue->add_option("--latency-ms", latency)->capture_default_str();
  queue->add_option("--concurrency", checkpoints.concurrency)->capture_default_str();
  queue->add_option("--scratch", checkpoints.scratch, "An empty directory")->required();
  queue->callback([&] {
    checkpoints.latency = std::chrono::milliseconds(latency);
    result = measure_checkpoints(checkpoints);
  });

  IngestOptions ingest;
  CLI::App* feed = app.add_subcommand("ingest", "Write versions into a timeline");
  feed->add_option("--count", ingest.count)->capture_default_str();
  feed->add_option("--value-size", ingest.value_size)->capture_default_str();
  feed->add_flag("--images", ingest.images);
  feed->add_flag("--random-keys", ingest.random_keys);
  feed->add_option("--batch", ingest.batch)->capture_default_str();
  feed->add_option("--checkpoint-distance", ingest.checkpoint_distance)->capture_default_str();
  feed->add_option("--scratch", ingest.scratch, "An empty directory")->required();
  feed->callback([&] { result = measure_ingest(ingest); });

  ReadOptions reads;
  CLI::App* read = app.add_subcommand("reads", "Read a timeline's versions, and compact it");
  read->add_option("--keys", reads.keys)->capture_default_str();
  read->add_option("--gets", reads.gets)->capture_default_str();
  read->add_option("--layer-size", reads.layer_size)->capture_default_str();
  read->add_option("--scratch", reads.scratch, "An empty directory")->required();
  read->callback([&] { result = measure_reads(reads); });

  LayerCountOptions layer_count;
  CLI::App* large = app.add_subcommand("layers", "Look up layers of a timeline that has many");
  large->add_option("--layers", layer_count.layers)->capture_default_str();
  large->add_flag("--more-history", layer_count.more_history);
  large->add_option("--lookups", layer_count.lookups)->capture_default_str();
  large->add_option("--scratch", layer_count.scratch, "An empty directory")->required();
  large->callback([&] { result = measure_layer_count(layer_count); });

  WalOptions wal;
  CLI::App* decode = app.add_subcommand("wal", "Decode WAL segments");
  decode->add_option("SEGMENT", wal.segments)->required();
  decode->add_flag("--only-records", wal.only_records);
  decode->callback([&] { result = measure_wal(wal); });

  PageOptions pages;
  CLI::App* redo = app.add_subcommand("pages", "Read pages of a timeline that holds WAL");
  redo->add_option("TIMELINE", pages.timeline)->required();
  redo->add_option("--workdir", pages.work_directory)->required();
  redo->add_option("--relation", pages.relations, "TABLESPACE/DATABASE/RELATION, as numbers")
      ->required();
  redo->callback([&] { result = measure_pages(pages); });

  try {
    if (const auto logging = set_up_logging("warning"); !logging.ok()) result = logging.error();
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!result.ok()) {
    fmt::print(stderr, "varve_bench: {} ({})\n", result.error().message(), name(result.code()));
    return 1;
  }
  fmt::print("{}\n", result->dump());
  return 0;
}

}  // namespace
}  // namespace varve::bench

int main(int argc, char** argv) {
  try {
    return varve::bench::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "varve_bench: {}\n", error.what());
    return 1;
  }
}
