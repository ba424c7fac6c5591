// What a tenant's log says is to be kept of its timelines. Pure, no I/O.
#pragma once

#include <set>

#include "storage_sync/manifest.h"

namespace varve {

// The LSNs of `timeline` that stay readable whatever is collected: those that are pinned, and those
// at which branches read it, which begin there or read through others that do, and go no further
// than these. Deleted ones read nothing.
std::set<Lsn> find_kept_points(const TenantManifest& tenant, const TimelineId& timeline);

}  // namespace varve
