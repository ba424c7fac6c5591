// What the measurements of this folder share.
#pragma once

#include <chrono>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "remote_storage/request_counts.h"

namespace varve::bench {

using Json = nlohmann::ordered_json;

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Requests by kind, those that were sent at all, and bytes.
Json describe(const RequestCounts& counts);

// Uploads the layer files in `layers` as one new timeline of a new tenant to the storage at `url`.
// Those of a layer's checksum excepted, which are known once it is written, everything counts that
// an upload takes, the registration with the tenant included.
Result<Json> measure_upload(const std::filesystem::path& layers, const std::string& url);

// Stores a file as one object, in parts as packs are; and reads an object into a file.
Result<Json> measure_put(const std::filesystem::path& file, const std::string& url,
                         const std::string& key);
Result<Json> measure_get(const std::string& url, const std::string& key,
                         const std::filesystem::path& file);

struct StartUpOptions {
  size_t tenants = 100;
  size_t timelines = 10'000;  // Of all tenants together.
  size_t archives = 3;        // Of each timeline.
  std::string url;            // Of an empty storage; empty: in memory.
  std::filesystem::path scratch;
};
// Opens work directories with so many timelines: one that has them all, and one that has none.
Result<Json> measure_start_up(const StartUpOptions& options);

struct CheckpointOptions {
  size_t checkpoints = 1000;
  size_t timelines = 100;
  std::chrono::milliseconds latency{50};
  size_t concurrency = 8;
  std::filesystem::path scratch;
};
// Queues checkpoints of many timelines at once and waits until all are remote, in a storage in
// memory that takes its time to answer.
Result<Json> measure_checkpoints(const CheckpointOptions& options);

struct IngestOptions {
  uint64_t count = 1'000'000;
  size_t value_size = 100;
  bool images = false;  // Else records.
  bool random_keys = false;
  size_t batch = 64;  // Versions that are ingested at once.
  uint64_t checkpoint_distance = 256ULL << 20;
  std::filesystem::path scratch;
};
// Ingests versions into a timeline until all of them are in layer files, synced.
Result<Json> measure_ingest(const IngestOptions& options);

}  // namespace varve::bench
