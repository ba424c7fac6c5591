// What was read lately of layers that are only remote: what it would spare to have them here.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "layer/layer_name.h"

namespace varve {

struct RemoteRead {
  TenantTimelineId timeline;
  LayerName layer;
  Timestamp used;  // Last.
  // Raw bytes; what was fetched more than once counts as often.
  uint64_t fetched = 0;
  // It was in use when the process before this one ended, which knows of what was fetched.
  bool was_warm = false;
};

// Thread-safe.
class RemoteReads {
 public:
  // How long a layer counts as used lately.
  static constexpr Duration kKept = std::chrono::hours(1);

  // The clock outlives it.
  explicit RemoteReads(Clock& clock = system_clock()) : clock_(clock) {}

  void note_use(const TenantTimelineId& timeline, const LayerName& layer);
  void note_fetched(const TenantTimelineId& timeline, const LayerName& layer, uint64_t bytes);
  // As if it was used now, but for the order; for a layer that is known already it changes nothing.
  void add_warm(const TenantTimelineId& timeline, const LayerName& layer, Timestamp used);

  // Those of the last kKept, most recently used first.
  std::vector<RemoteRead> recent();
  // None when it was not read lately.
  std::optional<RemoteRead> find(const TenantTimelineId& timeline, const LayerName& layer) const;

  // From now on they count as not read; an empty predicate wants them all.
  void forget(const TenantTimelineId& timeline,
              const std::function<bool(const LayerName&)>& wanted = {});

 private:
  struct Entry {
    Timestamp used;
    // By this process: a time when no server ran does not make a layer old.
    BootTime noted;
    uint64_t fetched = 0;
    bool was_warm = false;
  };
  using Layers = std::map<LayerName, Entry>;

  static RemoteRead describe(const TenantTimelineId& timeline, const Layers::value_type& layer);
  // With the lock held.
  Entry& note(const TenantTimelineId& timeline, const LayerName& layer);

  Clock& clock_;
  mutable std::mutex mutex_;
  std::map<TenantTimelineId, Layers> timelines_;
};

}  // namespace varve
