#include <memory>

#include "base/random.h"
#include "fs/directory.h"
#include "measurement.h"
#include "timeline/timeline_draft.h"
#include "timeline/timeline_maintenance.h"

namespace varve::bench {
namespace {

// Varve reads pages that are older than all records from somewhere: here from one image.
Result<std::shared_ptr<KeptTimeline>> make_timeline(const std::filesystem::path& scratch) {
  const TenantTimelineId id{system_random().next_id<TenantId>(),
                            system_random().next_id<TimelineId>()};
  VARVE_ASSIGN(
      TimelineDraft draft,
      TimelineDraft::create({.id = id, .timelines_directory = scratch, .image_lsn = Lsn{1}}));
  VARVE_TRY(draft.put_image(Key::min(), {}));
  VARVE_TRY(draft.finish({.disk_consistent_lsn = Lsn{1}, .gc_cutoff_lsn = Lsn{1}}));
  LocalManifest manifest = draft.manifest();
  VARVE_TRY(draft.publish());
  return std::make_shared<KeptTimeline>(scratch / id.timeline.to_string(), std::move(manifest));
}

uint64_t bytes_of(const KeptTimeline& kept) {
  uint64_t bytes = 0;
  for (const LayerEntry& layer : kept.get()->manifest.layers) bytes += layer.size;
  return bytes;
}

}  // namespace

Result<Json> measure_ingest(const IngestOptions& options) {
  VARVE_ASSIGN(const auto kept, make_timeline(options.scratch));
  VARVE_ASSIGN(const auto timeline,
               Timeline::open(kept, {.checkpoint_distance = options.checkpoint_distance,
                                     .memory_limit = 3 * options.checkpoint_distance}));
  SeededRandom random(1);
  // What the values are cut from, as db_bench does it; half of it compresses away.
  Bytes noise(1U << 20);
  for (size_t i = 0; i < noise.size(); ++i) {
    noise[i] = i % 2 == 0 ? static_cast<uint8_t>(random.next()) : 0;
  }
  const Stopwatch watch;
  {
    TimelineMaintenance maintenance(*timeline, system_clock(), system_random(), {});
    std::vector<Version> batch;
    for (uint64_t number = 0; number < options.count;) {
      batch.clear();
      for (; batch.size() < options.batch && number < options.count; ++number) {
        Key key;
        store_big(key.bytes.data() + 10,
                  options.random_keys ? random.next() % options.count : number);
        batch.push_back(
            {.key = key,
             .lsn = Lsn{number + 2},
             .kind = options.images ? ValueKind::kImage : ValueKind::kRecord,
             .value = ByteView(noise).subspan(random.next() % (noise.size() - options.value_size),
                                              options.value_size)});
      }
      VARVE_TRY(timeline->ingest({.start = Lsn{number}, .end = Lsn{number + 1}}, batch));
      VARVE_TRY(timeline->wait_for_room({}));
    }
  }
  const double ingested = watch.seconds();
  VARVE_TRY(timeline->checkpoint());
  const double on_disk = watch.seconds();
  VARVE_TRY(timeline->compact());
  return Json{{"seconds_to_disk", on_disk},
              {"seconds_to_memory", ingested},
              {"seconds_with_compaction", watch.seconds()},
              {"versions", options.count},
              {"bytes", options.count * (options.value_size + Key::kSize)},
              {"bytes_on_disk", bytes_of(*kept)}};
}

}  // namespace varve::bench
