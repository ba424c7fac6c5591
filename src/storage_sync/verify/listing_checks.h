// What a listing alone tells: keys that are none of ours, and logs that lack what belongs to them.
#pragma once

#include "storage_sync/remote_listing.h"
#include "storage_sync/verify/finding.h"

namespace varve {

void check_listing(const RemoteListing& listing, std::vector<Finding>& findings);

// Uploads in parts that no listing shows; one that was begun within `grace_period` may still be
// under way. Where they may not be listed, nothing is found.
Result<> find_unfinished_uploads(RemoteStorage& storage, Duration grace_period,
                                 const CallOptions& options, std::vector<Finding>& findings);

}  // namespace varve
