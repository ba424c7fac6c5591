// Finding objects that are mostly garbage.
//
// An object is deleted as a whole, once nothing refers to it: a single layer in it that lives on
// holds all that was stored with it. Such layers are copied into a later commit
// (UploadRequest::repack); after the grace period the old object goes like any other that was
// superseded (remote_gc.h).
#pragma once

#include <map>
#include <string>

#include "storage_sync/local_manifest.h"
#include "storage_sync/sync_context.h"

namespace varve {

// Objects of one log that were worth keeping, with how many live layers they had then. What has
// lost none since need not be looked at again.
using ExaminedObjects = std::map<std::string, size_t>;

// The file name of the object that a layer is to leave.
using RepackMoves = std::map<LayerName, std::string>;

struct RepackPlan {
  RepackMoves moves;   // None when there is nothing worth it.
  uint64_t bytes = 0;  // Stored, of the layers that move.
};

// Reads the manifests of objects that `examined` does not know, a bounded number of them, and adds
// to it. What one commit does not take, or was not looked at, is found by the next call.
Result<RepackPlan> find_repackable(const SyncContext& context, const LocalManifest& state,
                                   ExaminedObjects& examined, const CallOptions& options);

}  // namespace varve
