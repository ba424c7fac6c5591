// Changing a tenant: one commit of its log.
#pragma once

#include <functional>

#include "storage_sync/kept_state.h"
#include "storage_sync/sync_context.h"

namespace varve {

// Changes a copy of the manifest, or says why it cannot. Called again when the log turned out to be
// further than was known here.
using TenantChange = std::function<Result<>(TenantManifest&)>;

// Who asks must have seen check_owned(), but for an attach. Commits the change under the writer of
// `tenant` and notes the new head there; the nonce journal lies in the directory of the tenant
// file. Conflict when another server writes to the log: the fence is then set and noted. After any
// other error `tenant` is as it was, and the call may be repeated. A second commit of the tenant
// waits for the first.
Result<> commit_tenant(const SyncContext& context, KeptTenant& tenant, const TenantChange& change,
                       const CallOptions& options);

// Notes for good that another server has written to a log of the tenant, and gives the error that
// says so.
Result<> fence_tenant(const SyncContext& context, KeptTenant& tenant,
                      const std::optional<CommitStamp>& other);

}  // namespace varve
