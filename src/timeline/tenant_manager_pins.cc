// LSNs that are kept for good.
#include <algorithm>

#include "runtime/joined_call.h"
#include "timeline/tenant_manager.h"

namespace varve {
namespace {

std::vector<TimelinePin> pins_of(const TenantManifest& tenant, const TimelineId& timeline) {
  std::vector<TimelinePin> pins;
  std::ranges::copy_if(tenant.pins, std::back_inserter(pins),
                       [&](const TimelinePin& pin) { return pin.timeline == timeline; });
  std::ranges::sort(pins, {}, &TimelinePin::lsn);
  return pins;
}

}  // namespace

Result<std::vector<TimelinePin>> TenantManager::pins(const TenantTimelineId& id) const {
  VARVE_TRY(directory_->timeline(id));
  const auto tenant = store_->tenant(id.tenant);
  if (tenant == nullptr) return std::vector<TimelinePin>();
  return pins_of(tenant->get()->manifest, id.timeline);
}

Result<TimelinePin> TenantManager::pin_timeline(const TenantTimelineId& id, Lsn lsn,
                                                const CallOptions& call) {
  const JoinedCall joined(options_.call, call);
  VARVE_ASSIGN(const auto turn, take_turn(id.tenant, joined.options()));
  // A pin of the branch would not hold what its ancestor collects.
  VARVE_ASSIGN(const TenantTimelineId origin, origin_of(id, lsn));
  VARVE_ASSIGN(const auto existing, pins(origin));
  const auto same = std::ranges::find(existing, lsn, &TimelinePin::lsn);
  if (same != existing.end()) return *same;
  const TimelinePin pin{
      .timeline = origin.timeline, .lsn = lsn, .created_at = options_.clock->now()};
  VARVE_TRY(change_tenant(
      id.tenant,
      [&](TenantManifest& manifest) -> Result<> {
        // An earlier attempt may have landed unnoticed.
        if (!manifest.is_pinned(origin.timeline, lsn)) manifest.pins.push_back(pin);
        return {};
      },
      joined.options()));
  return pin;
}

Result<> TenantManager::unpin_timeline(const TenantTimelineId& id, Lsn lsn,
                                       const CallOptions& call) {
  const JoinedCall joined(options_.call, call);
  VARVE_ASSIGN(const auto turn, take_turn(id.tenant, joined.options()));
  VARVE_ASSIGN(const TenantTimelineId origin, origin_of(id, lsn));
  if (!store_->is_pinned(origin, lsn)) {
    return make_error(ErrorCode::kNotFound, "timeline {} is not pinned at {}", origin, lsn);
  }
  return change_tenant(
      id.tenant,
      [&](TenantManifest& manifest) -> Result<> {
        std::erase_if(manifest.pins, [&](const TimelinePin& pin) {
          return pin.timeline == origin.timeline && pin.lsn == lsn;
        });
        return {};
      },
      joined.options());
}

}  // namespace varve
