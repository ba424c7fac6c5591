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

struct ReadOptions {
  uint64_t keys = 20'000;            // Of 8 KiB each.
  size_t gets = 2000;                // Keys of each chain length that are read, at most.
  uint64_t layer_size = 8ULL << 20;  // Of imported and compacted layers, bytes.
  std::filesystem::path scratch;
};
// Reads a timeline whose records, 100 bytes each, are in memory, then in delta layers, then merged,
// then in images; between those, how long flush, compaction and garbage collection take and how
// much they write.
Result<Json> measure_reads(const ReadOptions& options);

struct LayerCountOptions {
  size_t layers = 10'000;
  // Else more layers are more keys; all LSNs can be read in both cases.
  bool more_history = false;
  size_t lookups = 100'000;
  std::filesystem::path scratch;
};
// What a timeline costs that has so many layers: finding those of a key, opening, its manifest and
// memory. There are no layer files, since nothing here looks into them.
Result<Json> measure_layer_count(const LayerCountOptions& options);

struct WalOptions {
  std::vector<std::filesystem::path> segments;  // One after the other.
  // Only cut into records, and their CRCs checked; else also taken apart, payloads and images too.
  bool only_records = false;
};
// Decodes WAL that is in memory, up to its end.
Result<Json> measure_wal(const WalOptions& options);

struct PageOptions {
  std::filesystem::path work_directory;
  std::string timeline;  // TENANT/TIMELINE.
  // TABLESPACE/DATABASE/RELATION, as numbers.
  std::vector<std::string> relations;
};
// Reads each page of each relation once, in random order, as of the timeline's end: what was
// changed since its image is redone by a process of PostgreSQL.
Result<Json> measure_pages(const PageOptions& options);

// How long single reads took, the slow ones included.
Json describe_latencies(std::vector<double> seconds);

}  // namespace varve::bench
