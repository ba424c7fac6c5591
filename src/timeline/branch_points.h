// Where branches begin. Pure, no I/O.
#pragma once

#include <set>

#include "storage_sync/manifest.h"

namespace varve {

// The LSNs of `timeline` at which branches read it: those that begin there, and those that read
// through others, which go no further than these. Deleted ones read nothing.
std::set<Lsn> find_branch_points(const TenantManifest& tenant, const TimelineId& timeline);

}  // namespace varve
