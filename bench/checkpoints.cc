#include <fcntl.h>

#include <condition_variable>
#include <set>

#include "base/checksum.h"
#include "fs/file.h"
#include "measurement.h"
#include "remote_storage/faulty.h"
#include "remote_storage/memory.h"
#include "remote_storage/metered.h"
#include "storage_sync/sync_engine.h"
#include "storage_sync/tenant_log.h"

namespace varve::bench {
namespace {

// Waits until timelines are remote up to an LSN.
class Waiter : public SyncObserver {
 public:
  explicit Waiter(Lsn wanted) : wanted_(wanted) {}

  void set_timeline_states(const std::vector<TimelineSyncStatus>& changed) override {
    const std::lock_guard lock(mutex_);
    for (const TimelineSyncStatus& status : changed) {
      if (status.remote_consistent_lsn >= wanted_) reached_.insert(status.timeline);
    }
    changed_.notify_all();
  }
  void wait_for(size_t timelines) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return reached_.size() >= timelines; });
  }

 private:
  const Lsn wanted_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<TenantTimelineId> reached_;
};

Result<LayerEntry> write_layer(const std::filesystem::path& directory, uint32_t number) {
  Key start;
  store_big(start.bytes.data() + 14, number);
  const Bytes content(8192, static_cast<uint8_t>(number));
  LayerEntry layer{.name = LayerName::image({start, start.next()}, Lsn{1}),
                   .size = content.size(),
                   .checksum = checksum128(content)};
  VARVE_ASSIGN(File file,
               File::open(directory / layer.name.to_string(), O_WRONLY | O_CREAT | O_TRUNC));
  VARVE_TRY(file.append(content));
  return layer;
}

uint64_t all_requests(const RequestCounts& counts) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kOperationCount; ++i) sum += counts.total(static_cast<Operation>(i));
  return sum;
}

}  // namespace

Result<Json> measure_checkpoints(const CheckpointOptions& options) {
  auto metered = std::make_unique<Metered>(std::make_unique<MemoryStorage>(), Metered::Options{});
  const Metered& meter = *metered;
  Faulty storage(std::move(metered), nullptr);
  ThreadPool codec({.name = "codec", .threads = std::max(1U, std::thread::hardware_concurrency())});
  ThreadPool transfer({.name = "transfer", .threads = 4});
  const SyncContext context{storage, system_clock(), system_random(), codec, transfer, {}};

  // One tenant that owns all timelines.
  LocalStore store(options.scratch);
  LocalTenant owned;
  owned.manifest.id = system_random().next_id<TenantId>();
  owned.writer = system_random().next_id<WriterId>();
  std::vector<LocalManifest> timelines(options.timelines);
  for (LocalManifest& timeline : timelines) {
    timeline.manifest.id = {owned.manifest.id, system_random().next_id<TimelineId>()};
    timeline.manifest.metadata.postgres_version = 15;
    timeline.head_seen = system_clock().boot_time();
  }
  std::filesystem::create_directories(store.tenant_directory(owned.manifest.id));
  const auto tenant = store.add_tenant(owned);
  VARVE_TRY(commit_tenant(context, *tenant,
                          [&](TenantManifest& manifest) -> Result<> {
                            for (const LocalManifest& timeline : timelines) {
                              manifest.timelines.push_back({.id = timeline.manifest.id.timeline});
                            }
                            return {};
                          },
                          {}));
  // Each timeline has one layer per checkpoint, and is where its last checkpoint left it.
  const size_t per_timeline = options.checkpoints / options.timelines;
  const Lsn last{per_timeline};
  for (LocalManifest& timeline : timelines) {
    const auto directory = store.timeline_directory(timeline.manifest.id);
    std::filesystem::create_directories(directory);
    for (size_t i = 0; i < per_timeline; ++i) {
      VARVE_ASSIGN(auto layer, write_layer(directory, static_cast<uint32_t>(i)));
      timeline.manifest.layers.push_back(std::move(layer));
    }
    timeline.manifest.metadata.disk_consistent_lsn = last;
    VARVE_TRY(timeline.write(directory));
    store.add_timeline(timeline);
  }

  storage.set_script([&](const FaultyCall&) { return Fault::delay_by(options.latency); });
  Waiter waiter(last);
  Metrics metrics;
  SyncEngine engine({.loop = {.queue = {.concurrent_uploads = options.concurrency}}}, context,
                    store, waiter, metrics);
  engine.start({}, {});
  const uint64_t before = all_requests(meter.counts());
  const Stopwatch watch;
  for (size_t i = 1; i <= per_timeline; ++i) {
    for (const LocalManifest& timeline : timelines) {
      const Checkpoint checkpoint =
          i == per_timeline ? checkpoint_of(timeline) : Checkpoint{Lsn{i}, i};
      engine.loop().schedule_timeline_checkpoint_upload(timeline.manifest.id, checkpoint);
    }
  }
  const double seconds_to_queue = watch.seconds();
  waiter.wait_for(timelines.size());
  const double seconds = watch.seconds();
  engine.loop().shutdown();

  const uint64_t requests = all_requests(meter.counts()) - before;
  const double ideal = std::chrono::duration<double>(options.latency).count() *
                       static_cast<double>(requests) / static_cast<double>(options.concurrency);
  return Json{{"checkpoints", per_timeline * timelines.size()},
              {"timelines", timelines.size()},
              {"requests", requests},
              {"seconds_to_queue", seconds_to_queue},
              {"seconds", seconds},
              {"ideal_seconds", ideal}};
}

}  // namespace varve::bench
