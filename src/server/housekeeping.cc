#include "server/housekeeping.h"

#include <spdlog/spdlog.h>

#include "base/logging.h"

namespace varve {
namespace {

constexpr Duration kLookEvery = std::chrono::seconds(10);

}  // namespace

Housekeeping::Housekeeping(PageServer& server)
    : server_(server), thread_([this](const std::stop_token& stop) { run(stop); }) {}

void Housekeeping::run(const std::stop_token& stop) {
  const CallOptions call{.stop = stop};
  const Duration gc_interval = std::chrono::minutes(server_.settings().gc_interval);
  BootTime collected = system_clock().boot_time();
  do {
    auto evicted = server_.evict_layers(call);
    if (!evicted.ok()) log_error("the local copies of layers were not looked at", evicted.error());
    const BootTime now = system_clock().boot_time();
    if (gc_interval == Duration::zero() || now - collected < gc_interval) continue;
    collect_garbage(call);
    collected = now;
  } while (system_clock().sleep(kLookEvery, stop));
}

void Housekeeping::collect_garbage(const CallOptions& call) {
  for (const TimelineInfo& timeline : server_.tenants().local_timelines()) {
    if (call.stop.stop_requested()) return;
    if (!server_.has_changed_layers(timeline.id)) continue;
    const auto collected = server_.collect_garbage(timeline.id, call);
    if (!collected.ok()) {
      log_error(fmt::format("timeline {} keeps what it has", timeline.id), collected.error());
      continue;
    }
    if (collected->moved.layers > 0) {
      spdlog::info("moved layers={} stored_bytes={} of timeline={} out of mostly unused objects",
                   collected->moved.layers, collected->moved.bytes, timeline.id);
    }
    if (collected->layers == 0 && collected->remote.objects == 0) continue;
    spdlog::info("gave up timeline={} layers={} objects={} object_bytes={} oldest_lsn={}",
                 timeline.id, collected->layers, collected->remote.objects, collected->remote.bytes,
                 collected->oldest_lsn);
  }
  for (const TenantId& tenant : server_.tenants().store().tenants()) {
    if (call.stop.stop_requested()) return;
    collect_tenant_garbage(tenant, call);
  }
}

void Housekeeping::collect_tenant_garbage(const TenantId& id, const CallOptions& call) {
  const auto collected = server_.collect_tenant_garbage(id, call);
  if (!collected.ok()) {
    log_error(fmt::format("the log of tenant {} keeps what it has", id), collected.error());
  } else if (collected->objects > 0) {
    spdlog::info("gave up tenant={} objects={} object_bytes={}", id, collected->objects,
                 collected->bytes);
  }
}

}  // namespace varve
