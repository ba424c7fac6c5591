// Uploads of packs that were begun and never ended: their server died, or lost its way to the
// storage. Nothing refers to them and no listing of objects shows them, but their parts are paid
// for.
#pragma once

#include <vector>

#include "storage_sync/sync_context.h"

namespace varve {

// Aborts the unfinished uploads under the tenant's keys that were begun at least `older_than` ago
// by the storage's clock, and returns them. For the owner of the tenant alone: at its start, before
// it uploads anything itself, and when it takes the tenant over. An upload of a former owner that
// is aborted under its hands fails; the commit it was for would have been refused.
//
// One that cannot be aborted does not keep the others; the error of the first is returned then.
Result<std::vector<UnfinishedUpload>> abort_stale_uploads(RemoteStorage& storage,
                                                          const TenantId& tenant,
                                                          Duration older_than,
                                                          const CallOptions& options);

}  // namespace varve
