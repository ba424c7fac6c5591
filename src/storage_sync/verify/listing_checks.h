// What a listing alone tells: keys that are none of ours, and logs that lack what belongs to them.
#pragma once

#include "storage_sync/remote_listing.h"
#include "storage_sync/verify/finding.h"

namespace varve {

void check_listing(const RemoteListing& listing, std::vector<Finding>& findings);

}  // namespace varve
