// Whether a storage keeps its promise to create an object only if it is absent.
//
// Some servers ignore the condition without a word. Everything would seem to work, until a second
// server writes to a log and neither of them notices.
#pragma once

#include "storage_sync/local_tenant.h"
#include "storage_sync/sync_context.h"

namespace varve {

// Stores the tenant's newest commit, which must exist, once more with the same bytes, if it is
// absent: that must be refused, and where it is not, nothing has changed. InvalidArgument, with the
// remedy, when it went through. A storage that needs no proof, or promises nothing, is not asked.
//
// For the creation and the attach of a tenant, right after the commit; costs a GET and a PUT.
Result<> probe_conditional_put(RemoteStorage& storage, const LocalTenant& tenant,
                               const CallOptions& options);

}  // namespace varve
