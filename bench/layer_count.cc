#include <malloc.h>

#include <algorithm>
#include <memory>

#include "base/random.h"
#include "measurement.h"
#include "storage_sync/delta_base.h"
#include "storage_sync/object_seal.h"
#include "timeline/timeline_view.h"

namespace varve::bench {
namespace {

constexpr uint64_t kKeysOfAPart = 16'384;
// As compaction leaves them: so many merged delta layers, then an image layer, over each part of
// the keys; above all of them what flushes wrote since.
constexpr size_t kMergedLayers = 3;
constexpr size_t kFlushedLayers = 9;
constexpr size_t kLayersOfAPart = kMergedLayers + 1;
constexpr uint64_t kLsnsOfALayer = 1'000'000;
// Parts of the keys where more layers are more history.
constexpr size_t kParts = 50;
constexpr size_t kLayersOfAnObject = 20;
// So few that what a lookup of them touches stays in the processor's caches.
constexpr size_t kKeysAgain = 100;

Key key_of(uint64_t number) {
  Key key;
  store_big(key.bytes.data() + 10, number);
  return key;
}

size_t allocated_bytes() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

struct ManyLayers {
  explicit ManyLayers(const LayerCountOptions& options) : random(1) {
    const size_t generations_of_parts = std::max<size_t>(1, options.layers / kLayersOfAPart);
    parts = options.more_history ? kParts : generations_of_parts;
    parts = std::min(parts, generations_of_parts);
    for (uint64_t base = 1; layers.size() + kFlushedLayers < options.layers;
         base += kMergedLayers * kLsnsOfALayer) {
      add_generation(base, options.layers - kFlushedLayers);
    }
    for (size_t i = 0; i < kFlushedLayers; ++i) {
      add(LayerName::delta(KeyRange::all(), end, Lsn{end.value + kLsnsOfALayer}));
      end.value += kLsnsOfALayer;
    }
    std::ranges::sort(layers, {}, &LayerEntry::name);
  }

  void add(const LayerName& name) {
    const ObjectName object =
        ObjectName::archive({id.tenant, id.timeline}, 1 + layers.size() / kLayersOfAnObject);
    layers.push_back({.name = name,
                      .size = (128ULL << 20) + random.next() % (1U << 20),
                      .checksum = checksum128(any_bytes()),
                      .stored = {.object = object.file_name(),
                                 .table_offset = random.next() % (1U << 30),
                                 .table_size = 4096,
                                 .table_checksum = random.next()}});
  }

  // Image layers, and above each of them the delta layers of the time after it; what the last
  // generation lacks are delta layers of the last parts.
  void add_generation(uint64_t base, size_t limit) {
    end = Lsn{base + 1};
    for (size_t part = 0; part < parts && layers.size() < limit; ++part) {
      add(LayerName::image(keys_of(part, 0), Lsn{base}));
    }
    for (uint64_t i = 0; i < kMergedLayers; ++i, end.value += kLsnsOfALayer) {
      for (size_t part = 0; part < parts && layers.size() < limit; ++part) {
        // The borders of delta layers are not those of the images.
        add(LayerName::delta(keys_of(part, 1 + random.next() % (kKeysOfAPart / 2)), end,
                             Lsn{end.value + kLsnsOfALayer}));
      }
    }
    ++generations;
  }

  Bytes any_bytes() {
    Bytes bytes(sizeof(uint64_t));
    store_little(bytes.data(), random.next());
    return bytes;
  }

  KeyRange keys_of(size_t part, uint64_t shift) const {
    return {part == 0 ? Key::min() : key_of(part * kKeysOfAPart + shift),
            part + 1 == parts ? Key::max() : key_of((part + 1) * kKeysOfAPart + shift)};
  }

  SeededRandom random;
  const TenantTimelineId id{random.next_id<TenantId>(), random.next_id<TimelineId>()};
  size_t parts = 0;
  size_t generations = 0;
  Lsn end{1};
  std::vector<LayerEntry> layers;
};

// Seconds a lookup, what was found being counted so that nothing is optimised away.
struct Lookups {
  double seconds = 0;
  double layers = 0;
};
// As TimelineReader does them.
Lookups look_up(const LayerSnapshot& snapshot, const std::vector<std::pair<Key, Lsn>>& wanted) {
  uint64_t found = 0;
  const Stopwatch watch;
  for (const auto& [key, lsn] : wanted) {
    const auto image = snapshot.map.newest_image(key, lsn);
    const Lsn first = image ? snapshot.layer(*image).name.lsn_end : Lsn{0};
    found += snapshot.map.deltas({key, key.next()}, first, lsn).size() + (image ? 1 : 0);
  }
  const double seconds = watch.seconds();
  const auto count = static_cast<double>(wanted.size());
  return {seconds / count, static_cast<double>(found) / count};
}

Result<uint64_t> sealed_size(ByteView manifest) {
  VARVE_ASSIGN(const ObjectSeal seal, seal_object(ObjectKind::kTimelineArchive, 0, manifest,
                                                  SyncOptions().compression_level));
  return seal.bytes.size();
}

}  // namespace

Result<Json> measure_layer_count(const LayerCountOptions& options) {
  ManyLayers many(options);
  LocalManifest local;
  local.head = {.sequence = 1 + options.layers / kLayersOfAnObject, .checksum = 1};
  local.manifest.id = many.id;
  local.manifest.stamp.sequence = local.head.sequence;
  local.manifest.metadata = {.disk_consistent_lsn = many.end, .gc_cutoff_lsn = Lsn{1}};
  local.manifest.layers = many.layers;
  for (uint64_t sequence = 1; sequence <= local.head.sequence; ++sequence) {
    local.remote_objects.push_back(
        ObjectName::archive({many.id.tenant, many.id.timeline}, sequence).file_name());
  }
  const Stopwatch writing;
  VARVE_TRY(local.write(options.scratch));
  const double write_seconds = writing.seconds();

  // What a process has in memory of an open timeline.
  malloc_trim(0);
  const size_t allocated = allocated_bytes();
  const Stopwatch reading;
  VARVE_ASSIGN(LocalManifest read, LocalManifest::read(options.scratch));
  const double read_seconds = reading.seconds();
  const auto manifest = std::make_shared<const TimelineManifest>(std::move(read.manifest));
  const size_t with_manifest = allocated_bytes();
  const Stopwatch mapping;
  const LayerSnapshot snapshot(manifest);
  const double map_seconds = mapping.seconds();
  const size_t with_map = allocated_bytes();

  std::vector<std::pair<Key, Lsn>> at_newest;
  std::vector<std::pair<Key, Lsn>> at_any;
  std::vector<std::pair<Key, Lsn>> again;
  for (size_t i = 0; i < options.lookups; ++i) {
    const Key key = key_of(many.random.next() % (many.parts * kKeysOfAPart));
    at_newest.emplace_back(key, many.end);
    at_any.emplace_back(key, Lsn{2 + many.random.next() % many.end.value});
    again.push_back(at_newest[i % kKeysAgain]);
  }
  look_up(snapshot, again);
  const Lookups same = look_up(snapshot, again);
  const Lookups newest = look_up(snapshot, at_newest);
  const Lookups any = look_up(snapshot, at_any);

  const Stopwatch encoding;
  const Bytes encoded = manifest->encode();
  const double encode_seconds = encoding.seconds();
  const Stopwatch decoding;
  VARVE_TRY(TimelineManifest::decode(encoded));
  const double decode_seconds = decoding.seconds();
  VARVE_ASSIGN(const uint64_t stored, sealed_size(encoded));

  // A checkpoint later.
  TimelineManifest next = *manifest;
  many.add(LayerName::delta(KeyRange::all(), many.end, Lsn{many.end.value + kLsnsOfALayer}));
  next.layers.push_back(many.layers.back());
  std::ranges::sort(next.layers, {}, &LayerEntry::name);
  const ManifestBase base{.object = local.remote_objects.back(), .checksum = 1};
  const Bytes delta = difference(base, *manifest, next).encode();
  VARVE_ASSIGN(const uint64_t delta_stored, sealed_size(delta));

  return Json{{"layers", manifest->layers.size()},
              {"parts", many.parts},
              {"generations", many.generations},
              {"newest", {{"us", 1e6 * newest.seconds}, {"layers", newest.layers}}},
              {"same_keys", {{"us", 1e6 * same.seconds}, {"layers", same.layers}}},
              {"any_lsn", {{"us", 1e6 * any.seconds}, {"layers", any.layers}}},
              {"write_seconds", write_seconds},
              {"read_seconds", read_seconds},
              {"map_seconds", map_seconds},
              {"encode_seconds", encode_seconds},
              {"decode_seconds", decode_seconds},
              {"manifest_bytes", encoded.size()},
              {"manifest_bytes_stored", stored},
              {"delta_bytes", delta.size()},
              {"delta_bytes_stored", delta_stored},
              {"manifest_memory", with_manifest - allocated},
              {"map_memory", with_map - with_manifest}};
}

}  // namespace varve::bench
