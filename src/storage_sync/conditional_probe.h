// Whether a storage keeps its promise to create an object only if it is absent.
//
// Some servers ignore the condition without a word. Everything would seem to work, until a second
// server writes to a log and neither of them notices.
#pragma once

#include "storage_sync/object_name.h"
#include "storage_sync/sync_context.h"

namespace varve {

// Stores `archive`, which must exist, once more with the same bytes, if it is absent: that must be
// refused, and where it is not, nothing has changed. InvalidArgument, with the remedy, when it went
// through. A storage that promises nothing is not asked.
//
// For the first attach of a tenant, right after its commit; costs a GET and a PUT.
Result<> probe_conditional_put(RemoteStorage& storage, const ObjectName& archive,
                               const CallOptions& options);

}  // namespace varve
