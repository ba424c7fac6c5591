#include "timeline/remote_reads.h"

#include <algorithm>

namespace varve {

RemoteRead RemoteReads::describe(const TenantTimelineId& timeline,
                                 const Layers::value_type& layer) {
  const auto& [name, entry] = layer;
  return {.timeline = timeline,
          .layer = name,
          .used = entry.used,
          .fetched = entry.fetched,
          .was_warm = entry.was_warm};
}

RemoteReads::Entry& RemoteReads::note(const TenantTimelineId& timeline, const LayerName& layer) {
  Entry& entry = timelines_[timeline][layer];
  entry.used = clock_.now();
  entry.noted = clock_.boot_time();
  return entry;
}

void RemoteReads::note_use(const TenantTimelineId& timeline, const LayerName& layer) {
  const std::lock_guard lock(mutex_);
  note(timeline, layer);
}

void RemoteReads::note_fetched(const TenantTimelineId& timeline, const LayerName& layer,
                               uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  note(timeline, layer).fetched += bytes;
}

void RemoteReads::add_warm(const TenantTimelineId& timeline, const LayerName& layer,
                           Timestamp used) {
  const std::lock_guard lock(mutex_);
  timelines_[timeline].try_emplace(
      layer, Entry{.used = used, .noted = clock_.boot_time(), .fetched = 0, .was_warm = true});
}

std::vector<RemoteRead> RemoteReads::recent() {
  std::vector<RemoteRead> reads;
  const std::lock_guard lock(mutex_);
  const BootTime now = clock_.boot_time();
  for (auto& [timeline, layers] : timelines_) {
    std::erase_if(layers, [&](const auto& layer) { return layer.second.noted + kKept < now; });
    for (const auto& layer : layers) reads.push_back(describe(timeline, layer));
  }
  std::erase_if(timelines_, [](const auto& timeline) { return timeline.second.empty(); });
  std::ranges::sort(reads, std::ranges::greater(), &RemoteRead::used);
  return reads;
}

std::optional<RemoteRead> RemoteReads::find(const TenantTimelineId& timeline,
                                            const LayerName& layer) const {
  const std::lock_guard lock(mutex_);
  const auto layers = timelines_.find(timeline);
  if (layers == timelines_.end()) return std::nullopt;
  const auto found = layers->second.find(layer);
  if (found == layers->second.end()) return std::nullopt;
  return describe(timeline, *found);
}

void RemoteReads::forget(const TenantTimelineId& timeline,
                         const std::function<bool(const LayerName&)>& wanted) {
  const std::lock_guard lock(mutex_);
  const auto found = timelines_.find(timeline);
  if (found == timelines_.end()) return;
  std::erase_if(found->second, [&](const auto& layer) { return !wanted || wanted(layer.first); });
}

}  // namespace varve
