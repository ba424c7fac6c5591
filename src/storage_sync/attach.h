// Taking ownership of a tenant, from whichever work directory has it now.
//
// The order: the new writer is noted in the tenant file, as an attach under way; a commit in the
// tenant's log; one in the log of each listed timeline, each followed by a LIST that must show
// nothing higher; the end of the attach is noted. From its first lost number on the former owner is
// fenced. What a crash leaves is an attach under way: nothing may be changed until it is repeated,
// and the repetition goes on under the same writer.
#pragma once

#include "storage_sync/local_store.h"
#include "storage_sync/sync_context.h"

namespace varve {

struct AttachOptions {
  // Timelines that are taken over at a time.
  size_t concurrency = 8;
  CallOptions call;
};

// The tenant must be in the store, as start_local_timeline_sync() leaves it. Timelines that were
// only remote have a metadata file here afterwards; their layers stay where they are.
//
// Gives false when the tenant was owned already: then nothing is sent. Conflict when the local
// state of a timeline has parted from its log, or somebody else keeps writing.
Result<bool> attach_tenant(const SyncContext& context, LocalStore& store, const TenantId& tenant,
                           const AttachOptions& options);

}  // namespace varve
