#include <fcntl.h>

#include <condition_variable>
#include <set>

#include "base/checksum.h"
#include "fs/file.h"
#include "measurement.h"
#include "remote_storage/faulty.h"
#include "remote_storage/memory.h"
#include "remote_storage/metered.h"
#include "storage_sync/sync_loop.h"
#include "storage_sync/tenant_log.h"
#include "storage_sync/timeline_sync_runner.h"

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

  // One tenant that owns all timelines, each with a metadata file and a first layer.
  LocalTenant tenant;
  tenant.manifest.id = system_random().next_id<TenantId>();
  tenant.writer = system_random().next_id<WriterId>();
  const auto tenant_directory = options.scratch / tenant_prefix(tenant.manifest.id);
  std::vector<LocalManifest> timelines(options.timelines);
  for (LocalManifest& timeline : timelines) {
    timeline.manifest.id = {tenant.manifest.id, system_random().next_id<TimelineId>()};
    timeline.manifest.metadata.postgres_version = 15;
  }
  std::filesystem::create_directories(tenant_directory);
  VARVE_TRY(commit_tenant(context, tenant_directory, tenant,
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
    const auto directory =
        tenant_directory / "timelines" / timeline.manifest.id.timeline.to_string();
    std::filesystem::create_directories(directory);
    for (size_t i = 0; i < per_timeline; ++i) {
      VARVE_ASSIGN(auto layer, write_layer(directory, static_cast<uint32_t>(i)));
      timeline.manifest.layers.push_back(std::move(layer));
    }
    timeline.manifest.metadata.disk_consistent_lsn = last;
    VARVE_TRY(timeline.write(directory));
  }

  storage.set_script([&](const FaultyCall&) { return Fault::delay_by(options.latency); });
  TimelineSyncRunner runner(context, options.scratch);
  const SyncQueueOptions queue{.concurrent_uploads = options.concurrency};
  LanePools executor(queue);
  Waiter waiter(last);
  Metrics metrics;
  SyncLoop loop({.queue = queue},
                {runner, executor, waiter, metrics, system_clock(), system_random()});
  const uint64_t before = all_requests(meter.counts());
  loop.start({});
  const Stopwatch watch;
  for (size_t i = 1; i <= per_timeline; ++i) {
    for (const LocalManifest& timeline : timelines) {
      const Checkpoint checkpoint =
          i == per_timeline ? checkpoint_of(timeline) : Checkpoint{Lsn{i}, i};
      loop.schedule_timeline_checkpoint_upload(timeline.manifest.id, checkpoint);
    }
  }
  const double seconds_to_queue = watch.seconds();
  waiter.wait_for(timelines.size());
  const double seconds = watch.seconds();
  loop.shutdown();

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
