#include "timeline/ancestry.h"

#include <algorithm>

namespace varve {

Result<std::vector<TimelineManifest>> find_ancestry(const TimelineId& timeline,
                                                    const FindManifest& find) {
  std::vector<TimelineManifest> chain;
  VARVE_ASSIGN(chain.emplace_back(), find(timeline));
  while (const auto ancestor = chain.back().metadata.ancestor) {
    const TenantTimelineId branch = chain.back().id;
    const bool is_cycle = std::ranges::any_of(
        chain, [&](const TimelineManifest& link) { return link.id.timeline == *ancestor; });
    if (is_cycle || chain.size() > kMaximumAncestors) {
      return make_error(ErrorCode::kCorrupted,
                        "timeline {} has timeline {} for an ancestor, {}: its metadata is not what "
                        "was written",
                        branch, *ancestor,
                        is_cycle ? "which is a branch of it"
                                 : fmt::format("behind {} others", kMaximumAncestors));
    }
    const Lsn begin = chain.back().metadata.ancestor_lsn;
    auto found = find(*ancestor);
    if (!found.ok()) {
      return std::move(found.error())
          .context(fmt::format("timeline {} is a branch of timeline {} at {}", branch, *ancestor,
                               begin));
    }
    if (begin > found->metadata.disk_consistent_lsn) {
      return make_error(
          ErrorCode::kNotFound,
          "timeline {} is a branch of timeline {} at {}, which is known up to {} only", branch,
          *ancestor, begin, found->metadata.disk_consistent_lsn);
    }
    chain.push_back(std::move(*found));
  }
  return chain;
}

}  // namespace varve
