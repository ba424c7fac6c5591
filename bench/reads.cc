#include <fcntl.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/random.h"
#include "fs/file.h"
#include "layer/redo.h"
#include "measurement.h"
#include "timeline/timeline.h"
#include "timeline/timeline_draft.h"

namespace varve::bench {
namespace {

constexpr size_t kImageSize = 8192;
constexpr size_t kRecordSize = 100;
// Each key has one of these numbers of records above its image.
constexpr std::array<size_t, 4> kChains = {0, 1, 10, 100};
// The records come in so many rounds, each of which is a layer of its own.
constexpr size_t kRounds = 10;
constexpr Lsn kImportLsn{1};

// Puts the records, one after the other, behind what is left of the image: its size stays that of a
// page, as that of a page does.
class ShiftingRedo : public Redo {
 public:
  Result<Bytes> apply(const Key& /*key*/, ByteView base,
                      std::span<const Version> records) override {
    const size_t size = base.size();
    Bytes image(base.begin(), base.end());
    for (const Version& record : records) {
      image.insert(image.end(), record.value.begin(), record.value.end());
    }
    image.erase(image.begin(), image.end() - static_cast<ptrdiff_t>(size));
    return image;
  }
};

Key key_of(uint64_t number) {
  Key key;
  store_big(key.bytes.data() + 10, number);
  return key;
}
size_t chain_of(uint64_t number) {
  return kChains[number % kChains.size()];
}

// Latencies of one kind of reads.
Json describe(const std::string& source, const std::string& state, const std::string& chain,
              std::vector<double> seconds) {
  Json described{{"source", source}, {"state", state}, {"chain", chain}};
  described.update(describe_latencies(std::move(seconds)));
  return described;
}

class ReadsMeasurement {
 public:
  explicit ReadsMeasurement(const ReadOptions& options) : options_(options) {
    for (size_t i = 0; i < noise_.size(); ++i) {
      noise_[i] = i % 2 == 0 ? static_cast<uint8_t>(random_.next()) : 0;
    }
  }

  Result<Json> run() {
    VARVE_TRY(import());
    VARVE_TRY(open());
    VARVE_TRY(ingest_records());
    VARVE_TRY(read_all_chains("memory", options_.keys, options_.keys + fresh_keys()));

    const Stopwatch flushing;
    VARVE_TRY(timeline_->checkpoint());
    const double flush_seconds = flushing.seconds();
    const auto [flushed, flushed_layers] = bytes_and_layers(is_delta);
    result_["flush"] = {{"layers", flushed_layers}, {"bytes", flushed}, {"seconds", flush_seconds}};
    VARVE_TRY(read_files("ten delta layers"));

    VARVE_ASSIGN(const double merge_seconds, compact({.merged_layers = 2,
                                                      .layers_above_image = kNever,
                                                      .layer_size = options_.layer_size}));
    const uint64_t merged = bytes_and_layers(is_delta).first;
    VARVE_TRY(read_files("merged layers"));

    const auto before_images = bytes_and_layers(is_any);
    VARVE_ASSIGN(const double image_seconds, compact({.merged_layers = kNever,
                                                      .layers_above_image = 1,
                                                      .layer_size = options_.layer_size}));
    const auto compacted = bytes_and_layers(is_any);
    const uint64_t images = compacted.first - before_images.first;
    VARVE_TRY(read_files("image layers"));

    result_["merge"] = {{"bytes_read", flushed}, {"seconds", merge_seconds}};
    result_["make_images"] = {{"bytes_read", before_images.first}, {"seconds", image_seconds}};
    const double ingested = static_cast<double>(ingested_bytes_);
    result_["write_amplification"] = {
        {"flush", static_cast<double>(flushed) / ingested},
        {"merge", static_cast<double>(flushed + merged) / ingested},
        {"images", static_cast<double>(flushed + merged + images) / ingested}};
    VARVE_TRY(collect_garbage(compacted));
    return result_;
  }

 private:
  static constexpr size_t kNever = SIZE_MAX;

  uint64_t fresh_keys() const { return std::max<uint64_t>(options_.keys / 10, kChains.size()); }
  uint64_t all_keys() const { return options_.keys + fresh_keys(); }
  ByteView value(size_t size) {
    return ByteView(noise_).subspan(random_.next() % (noise_.size() - size), size);
  }

  // An image of each old key; the fresh ones come with the records.
  Result<> import() {
    VARVE_ASSIGN(TimelineDraft draft,
                 TimelineDraft::create({.id = id_,
                                        .timelines_directory = options_.scratch,
                                        .image_lsn = kImportLsn,
                                        .layer_size = options_.layer_size}));
    for (uint64_t number = 0; number < options_.keys; ++number) {
      VARVE_TRY(draft.put_image(key_of(number), value(kImageSize)));
    }
    VARVE_TRY(draft.finish({.disk_consistent_lsn = kImportLsn, .gc_cutoff_lsn = kImportLsn}));
    LocalManifest manifest = draft.manifest();
    VARVE_TRY(draft.publish());
    kept_ = std::make_shared<KeptTimeline>(options_.scratch / id_.timeline.to_string(),
                                           std::move(manifest));
    return {};
  }

  // With nothing in memory, and no layer file open.
  Result<> open(const CompactionOptions& compaction = {}) {
    timeline_.reset();
    VARVE_ASSIGN(timeline_, Timeline::open(kept_, {.checkpoint_distance = UINT64_MAX,
                                                   .compaction = compaction,
                                                   .redo = std::make_shared<ShiftingRedo>()}));
    return {};
  }

  Result<> put(uint64_t number, ValueKind kind, size_t size) {
    ++lsn_.value;
    ingested_bytes_ += size + Key::kSize;
    const Version version{.key = key_of(number), .lsn = lsn_, .kind = kind, .value = value(size)};
    return timeline_->ingest({.start = Lsn{lsn_.value - 1}, .end = lsn_}, {&version, 1});
  }

  Result<> ingest_records() {
    const Stopwatch watch;
    for (uint64_t number = options_.keys; number < all_keys(); ++number) {
      VARVE_TRY(put(number, ValueKind::kImage, kImageSize));
    }
    for (size_t round = 0; round < kRounds; ++round) {
      for (uint64_t number = 0; number < all_keys(); ++number) {
        // The last rounds have the records of the short chains.
        const size_t chain = chain_of(number);
        const size_t records = (chain * (round + 1)) / kRounds - (chain * round) / kRounds;
        for (size_t i = 0; i < records; ++i) {
          VARVE_TRY(put(number, ValueKind::kRecord, kRecordSize));
        }
      }
      timeline_->freeze();
    }
    result_["ingest"] = {{"bytes", ingested_bytes_}, {"seconds", watch.seconds()}};
    return {};
  }

  // Some of the keys from `first` to `end` that have this chain, in random order, each once.
  std::vector<uint64_t> choose(uint64_t first, uint64_t end, size_t chain) {
    std::vector<uint64_t> numbers;
    for (uint64_t number = first; number < end; ++number) {
      if (chain_of(number) == chain) numbers.push_back(number);
    }
    for (size_t i = numbers.size(); i > 1; --i)
      std::swap(numbers[i - 1], numbers[random_.next() % i]);
    numbers.resize(std::min(numbers.size(), options_.gets));
    return numbers;
  }

  Result<std::vector<double>> get_all(const std::vector<uint64_t>& numbers) {
    std::vector<double> seconds;
    for (const uint64_t number : numbers) {
      const Stopwatch watch;
      VARVE_ASSIGN(const Bytes image, timeline_->get(key_of(number), lsn_));
      seconds.push_back(watch.seconds());
      if (image.size() != kImageSize) {
        return make_error(ErrorCode::kInternal, "an image of {} bytes", image.size());
      }
    }
    return seconds;
  }

  Result<> read_all_chains(const std::string& source, uint64_t first, uint64_t end) {
    for (const size_t chain : kChains) {
      const auto numbers = choose(first, end, chain);
      VARVE_TRY(get_all(numbers));
      VARVE_TRY(get_all(numbers));
      VARVE_ASSIGN(auto seconds, get_all(numbers));
      result_["reads"].push_back(
          describe(source, "hot", std::to_string(chain), std::move(seconds)));
    }
    return {};
  }

  // Nothing of the layers in memory, neither here nor in the kernel's page cache.
  Result<> make_cold() {
    VARVE_TRY(open());
    for (const LayerEntry& layer : kept_->get()->manifest.layers) {
      VARVE_ASSIGN(const File file,
                   File::open(kept_->directory() / layer.name.to_string(), O_RDONLY));
      if (const int failed = ::posix_fadvise(file.descriptor(), 0, 0, POSIX_FADV_DONTNEED)) {
        return make_error(ErrorCode::kUnavailable, "posix_fadvise: error {}", failed);
      }
    }
    return {};
  }

  Result<> read_files(const std::string& source) {
    for (const size_t chain : kChains) {
      VARVE_TRY(make_cold());
      VARVE_ASSIGN(auto seconds, get_all(choose(0, options_.keys, chain)));
      result_["reads"].push_back(
          describe(source, "cold", std::to_string(chain), std::move(seconds)));
    }
    VARVE_TRY(make_cold());
    VARVE_TRY(scan(source, "cold"));
    VARVE_TRY(scan(source, "hot"));
    return read_all_chains(source, 0, options_.keys);
  }

  Result<> scan(const std::string& source, const std::string& state) {
    uint64_t bytes = 0;
    uint64_t images = 0;
    const Stopwatch watch;
    VARVE_TRY(timeline_->scan(KeyRange::all(), lsn_, [&](const Key&, ByteView image) -> Result<> {
      bytes += image.size();
      ++images;
      return {};
    }));
    if (images != all_keys()) {
      return make_error(ErrorCode::kInternal, "{} of {} keys were scanned", images, all_keys());
    }
    result_["scans"].push_back(
        {{"source", source}, {"state", state}, {"bytes", bytes}, {"seconds", watch.seconds()}});
    return {};
  }

  Result<double> compact(const CompactionOptions& compaction) {
    VARVE_TRY(open(compaction));
    const Stopwatch watch;
    VARVE_ASSIGN(const bool done, timeline_->compact());
    if (!done) return make_error(ErrorCode::kInternal, "there was nothing to compact");
    return watch.seconds();
  }

  Result<> collect_garbage(std::pair<uint64_t, size_t> compacted) {
    const Stopwatch watch;
    VARVE_ASSIGN(const size_t layers,
                 timeline_->collect_garbage(lsn_, [] { return std::set<Lsn>(); }));
    result_["garbage"] = {
        {"layers", layers}, {"of", compacted.second}, {"seconds", watch.seconds()}};
    const auto live = static_cast<double>(all_keys() * (kImageSize + Key::kSize));
    result_["space_amplification"] = {
        {"compacted", static_cast<double>(compacted.first) / live},
        {"collected", static_cast<double>(bytes_and_layers(is_any).first) / live}};
    return {};
  }

  static bool is_any(const LayerName& /*name*/) { return true; }
  static bool is_delta(const LayerName& name) { return !name.is_image; }
  std::pair<uint64_t, size_t> bytes_and_layers(bool (*wanted)(const LayerName&)) const {
    std::pair<uint64_t, size_t> sum;
    for (const LayerEntry& layer : kept_->get()->manifest.layers) {
      if (!wanted(layer.name)) continue;
      sum.first += layer.size;
      ++sum.second;
    }
    return sum;
  }

  const ReadOptions& options_;
  SeededRandom random_{1};
  const TenantTimelineId id_{random_.next_id<TenantId>(), random_.next_id<TimelineId>()};
  // What the values are cut from; half of it compresses away, as db_bench has it.
  Bytes noise_ = Bytes(1U << 20);
  std::shared_ptr<KeptTimeline> kept_;
  std::unique_ptr<Timeline> timeline_;
  Lsn lsn_ = kImportLsn;
  uint64_t ingested_bytes_ = 0;
  Json result_{{"reads", Json::array()}, {"scans", Json::array()}};
};

}  // namespace

Result<Json> measure_reads(const ReadOptions& options) {
  return ReadsMeasurement(options).run();
}

}  // namespace varve::bench
