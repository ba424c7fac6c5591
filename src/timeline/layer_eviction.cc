#include "timeline/layer_eviction.h"

#include <algorithm>

#include "base/logging.h"
#include "fs/directory.h"

namespace varve {
namespace {

void note_uses(const OpenTimelines& timelines, const TenantTimelineId& id,
               const std::filesystem::path& directory) {
  const auto timeline = timelines.find(id);
  if (timeline == nullptr) return;
  for (const auto& [layer, used] : timeline->reader()->cache().take_uses()) {
    // Where there is no such file, there is nothing to remember.
    std::ignore = set_modified(directory / layer.to_string(), used);
  }
}

Result<> add_layers_of(OpenTimelines& timelines, const TenantTimelineId& id, LocalLayers& local) {
  const LocalStore& store = timelines.tenants().store();
  const auto kept = store.timeline(id);
  if (kept == nullptr) return {};
  const auto directory = store.timeline_directory(id);
  note_uses(timelines, id, directory);
  const auto state = kept->get();
  for (const LayerEntry& layer : state->manifest.layers) {
    VARVE_ASSIGN(const auto file, file_status(directory / layer.name.to_string()));
    if (!file) continue;
    local.bytes += file->size;
    if (!layer.stored.is_remote()) continue;
    local.evictable.push_back(
        {.timeline = id, .layer = layer.name, .size = file->size, .used = file->modified});
  }
  return {};
}

}  // namespace

Result<LocalLayers> find_local_layers(OpenTimelines& timelines) {
  LocalLayers local;
  for (const TimelineInfo& timeline : timelines.tenants().local_timelines()) {
    VARVE_TRY(add_layers_of(timelines, timeline.id, local));
  }
  return local;
}

std::vector<EvictableLayer> choose_evictions(std::vector<EvictableLayer> layers, uint64_t bytes) {
  std::ranges::sort(layers, {}, &EvictableLayer::used);
  uint64_t freed = 0;
  const auto end = std::ranges::find_if(layers, [&](const EvictableLayer& layer) {
    if (freed >= bytes) return true;
    freed += layer.size;
    return false;
  });
  layers.erase(end, layers.end());
  return layers;
}

Result<EvictionReport> evict_layers(OpenTimelines& timelines, const EvictionLimits& limits,
                                    const CallOptions& call) {
  if (limits.high == 0) return EvictionReport{};
  VARVE_ASSIGN(LocalLayers local, find_local_layers(timelines));
  EvictionReport report{.local_bytes = local.bytes, .freed = {}};
  if (local.bytes <= limits.high) return report;

  std::map<TenantTimelineId, std::set<LayerName>> chosen;
  for (const EvictableLayer& layer :
       choose_evictions(std::move(local.evictable), local.bytes - limits.low)) {
    chosen[layer.timeline].insert(layer.layer);
  }
  for (const auto& [id, layers] : chosen) {
    const auto freed = timelines.drop_local_layers(
        id, call, [&](const LayerName& layer) { return layers.contains(layer); });
    if (!freed.ok()) {
      log_error(fmt::format("timeline {} keeps its local layers", id), freed.error());
      continue;
    }
    report.freed.layers += freed->layers;
    report.freed.bytes += freed->bytes;
  }
  return report;
}

}  // namespace varve
