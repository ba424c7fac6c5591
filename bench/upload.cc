#include "storage_sync/upload.h"

#include <algorithm>

#include "base/checksum.h"
#include "fs/directory.h"
#include "fs/file.h"
#include "fs/temporary_directory.h"
#include "measurement.h"
#include "server/remote_access.h"
#include "storage_sync/tenant_log.h"

namespace varve::bench {

Json describe(const RequestCounts& counts) {
  Json json;
  for (size_t i = 0; i < kOperationCount; ++i) {
    const auto operation = static_cast<Operation>(i);
    if (counts.total(operation) > 0) json[std::string(name(operation))] = counts.total(operation);
  }
  return {{"requests", json},
          {"bytes_sent", counts.bytes_sent},
          {"bytes_received", counts.bytes_received}};
}

Result<Json> measure_upload(const std::filesystem::path& layers, const std::string& url) {
  Random& random = system_random();
  LocalManifest local;
  local.manifest.id = {random.next_id<TenantId>(), random.next_id<TimelineId>()};
  local.manifest.metadata.disk_consistent_lsn = Lsn{0x1000};
  local.manifest.metadata.postgres_version = 15;
  uint64_t raw_bytes = 0;
  VARVE_ASSIGN(const auto entries, list_directory(layers));
  for (const DirectoryEntry& entry : entries) {
    LayerEntry layer;
    VARVE_ASSIGN(layer.name, LayerName::parse(entry.name));
    VARVE_ASSIGN(const Bytes content, read_file(layers / entry.name));
    layer.size = content.size();
    layer.checksum = checksum128(content);
    raw_bytes += layer.size;
    local.manifest.layers.push_back(layer);
  }
  std::ranges::sort(local.manifest.layers, {}, &LayerEntry::name);

  VARVE_ASSIGN(const auto access,
               RemoteAccess::open({.url = url, .access = LocalFs::Access::kReadWrite}));
  VARVE_ASSIGN(const auto tenant_directory, TemporaryDirectory::create());
  LocalTenant owned;
  owned.manifest.id = local.manifest.id.tenant;
  owned.writer = random.next_id<WriterId>();
  KeptTenant tenant(tenant_directory.path(), owned);
  const TimelineId id = local.manifest.id.timeline;
  local.head_seen = system_clock().boot_time();
  KeptTimeline timeline(layers, std::move(local));

  const Stopwatch watch;
  VARVE_TRY(commit_tenant(access->context(), tenant,
                          [&](TenantManifest& manifest) -> Result<> {
                            manifest.timelines.push_back({.id = id});
                            return {};
                          },
                          {}));
  VARVE_TRY(upload_timeline(access->context(), {.writer = owned.writer}, timeline, {}, {}));
  const double seconds = watch.seconds();

  Json json = {{"seconds", seconds}, {"files", entries.size()}, {"raw_bytes", raw_bytes}};
  json.update(describe(access->counts()));
  return json;
}

}  // namespace varve::bench
