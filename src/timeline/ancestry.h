// The chain of timelines that a branch is read from: pure, no I/O.
#pragma once

#include <functional>
#include <vector>

#include "storage_sync/manifest.h"

namespace varve {

// More are taken for damage. Each costs a look at its layers for every key that is not above it.
inline constexpr size_t kMaximumAncestors = 256;

// The manifest of a timeline of the same tenant.
using FindManifest = std::function<Result<TimelineManifest>(const TimelineId&)>;

// The timeline itself, its ancestor, the ancestor of that, and so on. An error of `find` gains the
// link that it is about. Corrupted when a timeline is among its own ancestors, or has too many;
// NotFound when one begins above what is known of its ancestor.
Result<std::vector<TimelineManifest>> find_ancestry(const TimelineId& timeline,
                                                    const FindManifest& find);

}  // namespace varve
