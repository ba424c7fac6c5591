// Taking a number of a log where the storage cannot create an object only if it is absent.
//
// The archive is stored under a name of its own, <sequence>-<nonce>.archive, and then a listing
// says who has the number: the archive that was stored first, by the storage's clock. The server
// that finds itself second stops, and where two were stored at the same time both do.
//
// That is weaker than the condition. It relies on listings that show every object that was stored
// before they were asked for, and on an object that appears later not bearing an earlier time.
#pragma once

#include "storage_sync/remote_log.h"

namespace varve {

// Stores `body` as `archive`, unless an earlier attempt in the journal has the number already. The
// result is that of commit(), with the head of kAdopted alone.
Result<CommitResult> take_number_by_listing(const SyncContext& context, const NonceJournal& journal,
                                            const ObjectName& archive, ByteView body,
                                            const CallOptions& options);

}  // namespace varve
