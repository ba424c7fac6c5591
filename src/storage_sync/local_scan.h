// Reading a work directory at the start of a server.
#pragma once

#include <filesystem>
#include <map>
#include <optional>

#include "storage_sync/local_manifest.h"
#include "storage_sync/local_store.h"
#include "storage_sync/local_tenant.h"

namespace varve {

// What is there; an error is that of a file that is missing or cannot be used.
struct LocalScan {
  std::map<TenantId, Result<LocalTenant>> tenants;
  // Of tenants that can be used.
  std::map<TenantTimelineId, Result<LocalManifest>> timelines;
};

// Logs what cannot be read, one by one, and goes on; removes imports that did not finish. `only`:
// the tenant to look at, all without it.
Result<LocalScan> scan_work_directory(const LocalStore& store, const std::optional<TenantId>& only);

}  // namespace varve
