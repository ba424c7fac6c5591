#include "server/warm_layers.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/logging.h"
#include "fs/directory.h"
#include "timeline/layer_promotion.h"

namespace varve {
namespace {

constexpr Duration kLookEvery = std::chrono::seconds(10);

bool same_layers(const WarmList& a, const WarmList& b) {
  return std::ranges::equal(a.layers, b.layers, [](const WarmLayer& one, const WarmLayer& other) {
    return one.timeline == other.timeline && one.layer == other.layer;
  });
}

}  // namespace

WarmLayers::WarmLayers(PageServer& server)
    : server_(server),
      path_(server.directory().path() / kWarmListFileName),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void WarmLayers::run(const std::stop_token& stop) {
  if (server_.eviction_limits().high == 0) {
    // It would be out of date once there is a budget again.
    auto removed = remove_file(path_);
    if (!removed.ok()) log_error("an old list of warm layers stays", removed.error());
    return;
  }
  read_list();
  do {
    promote({.stop = stop});
    write_list();
  } while (system_clock().sleep(kLookEvery, stop));
  write_list();
}

void WarmLayers::read_list() {
  auto list = WarmList::read(path_);
  if (list.failed_with(ErrorCode::kNotFound)) {
    written_.emplace();
    return;
  }
  if (!list.ok()) return log_error("the server begins cold", list.error());
  for (const WarmLayer& each : list->layers) {
    server_.timelines().options().remote_reads->add_warm(each.timeline, each.layer, each.used);
  }
  written_ = *std::move(list);
}

void WarmLayers::promote(const CallOptions& call) {
  auto layers = server_.metrics().counter("varve_promoted_layers_total",
                                          "Remote layers that became local since they were read.");
  auto bytes = server_.metrics().counter("varve_promoted_bytes_total", "Of these layers.");
  const uint64_t low = server_.eviction_limits().low;
  TenantManager::FreedLayers promoted;
  for (;;) {
    const auto next = promote_layer(server_.timelines(), low, call);
    if (!next.ok() && !call.stop.stop_requested()) {
      log_error("layers that are read stay remote only for now", next.error());
    }
    if (!next.ok() || !*next) break;
    layers.add();
    bytes.add(static_cast<double>((*next)->layer.size));
    ++promoted.layers;
    promoted.bytes += (*next)->layer.size;
  }
  if (promoted.layers == 0) return;
  spdlog::info("brought back layers={} bytes={}", promoted.layers, promoted.bytes);
}

void WarmLayers::write_list() {
  const auto promotable = find_promotable(server_.timelines());
  if (!promotable.ok()) {
    return log_error("the list of warm layers stays as it was", promotable.error());
  }
  WarmList list;
  for (const PromotableLayer& each : *promotable) {
    list.layers.push_back(
        {.timeline = each.timeline, .layer = each.layer.name, .used = each.read.used});
  }
  if (written_ && same_layers(*written_, list)) return;
  auto written = list.write(path_);
  if (!written.ok()) return log_error("the list of warm layers was not written", written.error());
  written_ = std::move(list);
}

}  // namespace varve
