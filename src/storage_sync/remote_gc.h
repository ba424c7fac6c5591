// Freeing the objects of a timeline's log that nothing needs any more.
//
// An object may go when the newest commit does not refer to it, and the commit that first did
// without it is older than the grace period: by then nobody who read an older commit is still
// reading. A pack to which no commit ever referred, left by an attempt that came to nothing, may go
// when it is that old itself. All ages are by the storage's clock alone. A storage that tells of
// another head than the one known here belongs to somebody else, or has lost something: then
// nothing is deleted.
//
// What a branch inherits is held by the commit of its ancestor, so that no other log matters here.
#pragma once

#include <vector>

#include "storage_sync/garbage_removal.h"
#include "storage_sync/kept_state.h"

namespace varve {

// What may be deleted of `log`, whose newest commit is known as `state`, oldest name first. Pure.
// Conflict when the log has gone on without us; Corrupted when it ends before what is known.
Result<std::vector<ListedObject>> find_collectable(const LocalManifest& state, const LogName& log,
                                                   const RemoteListing& listing,
                                                   Duration grace_period);

// Lists the log, deletes what may go, and forgets what is gone. For the owner of the tenant alone.
// Commits of the timeline wait meanwhile. An error says that some of it may have been deleted; the
// call may be repeated.
Result<CollectedGarbage> collect_remote_garbage(const SyncContext& context, KeptTimeline& timeline,
                                                const CallOptions& options);

}  // namespace varve
