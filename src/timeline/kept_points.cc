#include "timeline/kept_points.h"

#include <algorithm>

#include "timeline/ancestry.h"

namespace varve {

std::set<Lsn> find_kept_points(const TenantManifest& tenant, const TimelineId& timeline) {
  std::set<Lsn> points;
  for (const TimelinePin& pin : tenant.pins) {
    if (pin.timeline == timeline) points.insert(pin.lsn);
  }
  for (const TimelineRegistration& branch : tenant.timelines) {
    if (branch.deleted) continue;
    Lsn lsn = branch.ancestor_lsn;
    const TimelineRegistration* link = &branch;
    for (size_t links = 0; link != nullptr && link->ancestor && links < kMaximumAncestors;
         ++links) {
      lsn = std::min(lsn, link->ancestor_lsn);
      if (*link->ancestor == timeline) points.insert(lsn);
      link = tenant.find(*link->ancestor);
    }
  }
  return points;
}

}  // namespace varve
