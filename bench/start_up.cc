#include <fcntl.h>
#include <fmt/format.h>

#include "fs/directory.h"
#include "fs/file.h"
#include "measurement.h"
#include "remote_storage/local_fs.h"
#include "remote_storage/memory.h"
#include "remote_storage/metered.h"
#include "remote_storage/url.h"
#include "storage_sync/local_tenant.h"
#include "storage_sync/object_format.h"
#include "storage_sync/object_seal.h"
#include "timeline/tenant_manager.h"

namespace varve::bench {
namespace {

constexpr size_t kLayersPerTimeline = 10;

// Where objects are put before the measurement: straight into the storage, or into the directory
// that it keeps, without the syncs that a put() makes.
class Storehouse {
 public:
  Storehouse(RemoteStorage& storage, std::filesystem::path directory)
      : storage_(storage), directory_(std::move(directory)) {}

  Result<> put(const ObjectName& name, const Bytes& body) {
    if (directory_.empty()) return storage_.put(name.key(), body, PutCondition::kNone, {});
    return write(directory_ / name.key(), body);
  }

  static Result<> write(const std::filesystem::path& path, ByteView body) {
    std::filesystem::create_directories(path.parent_path());
    VARVE_ASSIGN(File file, File::open(path, O_WRONLY | O_CREAT | O_TRUNC));
    return file.append(body);
  }

 private:
  RemoteStorage& storage_;
  const std::filesystem::path directory_;
};

template <typename Manifest>
Result<LogHead> put_commit(Storehouse& house, ObjectKind kind, const LogName& log,
                           const Manifest& manifest) {
  Bytes object = encode_object_header(kind);
  VARVE_ASSIGN(const ObjectSeal seal, seal_object(kind, object.size(), manifest.encode(), 3));
  object.insert(object.end(), seal.bytes.begin(), seal.bytes.end());
  VARVE_TRY(house.put(ObjectName::archive(log, manifest.stamp.sequence), object));
  return LogHead{manifest.stamp.sequence, seal.checksum};
}

TimelineManifest timeline_manifest(const TenantTimelineId& id) {
  TimelineManifest manifest;
  manifest.id = id;
  manifest.metadata.disk_consistent_lsn = Lsn{0x1000};
  manifest.metadata.postgres_version = 15;
  for (uint32_t i = 0; i < kLayersPerTimeline; ++i) {
    Key start;
    store_big(start.bytes.data() + 14, i);
    LayerEntry layer{.name = LayerName::image({start, start.next()}, Lsn{1}), .size = 1 << 20};
    layer.stored = {.object = ObjectName::archive({id.tenant, id.timeline}, 1).file_name(),
                    .table_offset = kObjectHeaderSize,
                    .table_size = static_cast<uint32_t>(frame_table_size(layer.size))};
    manifest.layers.push_back(layer);
  }
  return manifest;
}

// The remote logs, and the work directory whose owner wrote them.
Result<> fill(Storehouse& house, const StartUpOptions& options,
              const std::filesystem::path& work_directory) {
  Random& random = system_random();
  for (size_t t = 0; t < options.tenants; ++t) {
    LocalTenant tenant;
    tenant.manifest.id = random.next_id<TenantId>();
    tenant.manifest.name = fmt::format("tenant-{}", t);
    tenant.writer = random.next_id<WriterId>();
    const auto tenant_directory = work_directory / tenant_prefix(tenant.manifest.id);
    const size_t timelines =
        options.timelines * (t + 1) / options.tenants - options.timelines * t / options.tenants;
    for (size_t i = 0; i < timelines; ++i) {
      TimelineManifest manifest =
          timeline_manifest({tenant.manifest.id, random.next_id<TimelineId>()});
      const LogName log{manifest.id.tenant, manifest.id.timeline};
      LogHead head;
      for (size_t sequence = 1; sequence <= options.archives; ++sequence) {
        manifest.stamp = {.sequence = sequence,
                          .writer = tenant.writer,
                          .nonce = random.next_id<Nonce>(),
                          .predecessor_checksum = head.checksum};
        manifest.metadata.disk_consistent_lsn = Lsn{0x1000 * sequence};
        VARVE_ASSIGN(head, put_commit(house, ObjectKind::kTimelineArchive, log, manifest));
      }
      tenant.manifest.timelines.push_back(
          {.id = manifest.id.timeline, .name = fmt::format("timeline-{}", i)});
      const LocalManifest local = LocalManifest::from_commit(head, manifest, {});
      const auto directory = tenant_directory / "timelines" / manifest.id.timeline.to_string();
      std::filesystem::create_directories(directory);
      VARVE_TRY(local.write(directory));
    }
    tenant.manifest.stamp = {
        .sequence = 1, .writer = tenant.writer, .nonce = random.next_id<Nonce>()};
    VARVE_ASSIGN(tenant.head, put_commit(house, ObjectKind::kTenantArchive,
                                         {tenant.manifest.id, {}}, tenant.manifest));
    std::filesystem::create_directories(tenant_directory);
    VARVE_TRY(tenant.write(tenant_directory));
  }
  return {};
}

Result<Json> measure_open(Metered& storage, const std::filesystem::path& work_directory,
                          size_t expected_tenants) {
  ThreadPool codec({.name = "codec", .threads = std::max(1U, std::thread::hardware_concurrency())});
  ThreadPool transfer({.name = "transfer", .threads = 4});
  const SyncContext context{storage, system_clock(), system_random(), codec, transfer, {}};
  const RequestCounts before = storage.counts();
  const Stopwatch watch;
  VARVE_ASSIGN(const TenantManager manager,
               TenantManager::open({.work_directory = work_directory, .remote = &context}));
  const double seconds = watch.seconds();
  if (manager.tenants().size() != expected_tenants) {
    return make_error(ErrorCode::kInternal, "{} tenants were opened instead of {}",
                      manager.tenants().size(), expected_tenants);
  }
  Json requests;
  for (const Operation operation : {Operation::kList, Operation::kGet, Operation::kPut}) {
    requests[std::string(name(operation))] =
        storage.counts().total(operation) - before.total(operation);
  }
  return Json{{"seconds", seconds}, {"requests", std::move(requests)}};
}

}  // namespace

Result<Json> measure_start_up(const StartUpOptions& options) {
  std::unique_ptr<RemoteStorage> inner;
  std::filesystem::path directory;
  if (options.url.empty()) {
    inner = std::make_unique<MemoryStorage>();
  } else {
    VARVE_ASSIGN(inner, open_remote_storage(options.url, {.access = LocalFs::Access::kReadWrite}));
    constexpr std::string_view kScheme = "file://";
    directory = options.url.substr(kScheme.size());
  }
  Metered storage(std::move(inner), {});
  Storehouse house(storage, directory);
  const auto full = options.scratch / "full";
  const auto empty = options.scratch / "empty";
  std::filesystem::create_directories(empty);
  VARVE_TRY(fill(house, options, full));

  Json json = {{"timelines", options.timelines},
               {"objects", options.timelines * options.archives + options.tenants}};
  VARVE_ASSIGN(json["everything_local"], measure_open(storage, full, options.tenants));
  VARVE_ASSIGN(json["nothing_local"], measure_open(storage, empty, options.tenants));
  return json;
}

}  // namespace varve::bench
