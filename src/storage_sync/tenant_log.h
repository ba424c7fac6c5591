// Changing a tenant: one commit of its log.
#pragma once

#include <filesystem>
#include <functional>

#include "storage_sync/local_tenant.h"
#include "storage_sync/sync_context.h"

namespace varve {

// Changes a copy of the manifest, or says why it cannot. Called again when the log turned out to be
// further than was known here.
using TenantChange = std::function<Result<>(TenantManifest&)>;

// Commits the change under tenant.writer and notes the new head in `tenant` and in the tenant file
// of `directory`. Conflict when another server writes to the log: the fence is then set and noted.
// After any other error `tenant` is as it was, and the call may be repeated.
Result<> commit_tenant(const SyncContext& context, const std::filesystem::path& directory,
                       LocalTenant& tenant, const TenantChange& change, const CallOptions& options);

// Notes for good that another server has written to a log of the tenant, and gives the error that
// says so.
Result<> fence_tenant(const SyncContext& context, const std::filesystem::path& directory,
                      LocalTenant& tenant, const std::optional<CommitStamp>& other);

}  // namespace varve
