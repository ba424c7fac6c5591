// Freeing what a tenant's own log and the logs of its deleted timelines need no more.
//
// A tenant's commit says all there is to say of the tenant: those before it go once it is older
// than the grace period. Of a deleted timeline only the last commit stays, for ever, so that its ID
// is never used again and a server that has missed the deletion is told. As in remote_gc.h, all
// ages are by the storage's clock, and nothing is deleted of a log that ends differently than it
// must.
#pragma once

#include "storage_sync/kept_state.h"
#include "storage_sync/remote_gc.h"

namespace varve {

// Whether the tenant's logs hold anything besides what stays: now or once the grace period is over.
bool has_tenant_garbage(const LocalTenant& tenant, const RemoteListing& listing);

struct CollectedTenantGarbage {
  CollectedGarbage freed;
  // Nothing is left that a later call would free, as long as the tenant's log ends with `head`.
  bool complete = false;
  uint64_t head = 0;
};

// Lists what the tenant has, and deletes what may go. For the owner of the tenant alone. Changes of
// the tenant wait meanwhile. An error says that some of it may have been deleted; the call may be
// repeated. Conflict when a log has gone on without us.
Result<CollectedTenantGarbage> collect_tenant_garbage(const SyncContext& context,
                                                      KeptTenant& tenant,
                                                      const CallOptions& options);

}  // namespace varve
