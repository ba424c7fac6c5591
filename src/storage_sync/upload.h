// Bringing the state of a timeline into the remote storage: one commit of its log.
#pragma once

#include <filesystem>

#include "storage_sync/kept_state.h"
#include "storage_sync/repack.h"
#include "storage_sync/sync_context.h"

namespace varve {

enum class UploadOutcome {
  kUploaded,       // A commit was made, or one that had landed unnoticed was adopted.
  kAlreadyRemote,  // Nothing differs from the newest commit: no request was sent.
  kFenced,         // Another server writes to the log. Nothing was changed.
};

struct UploadResult {
  UploadOutcome outcome = UploadOutcome::kAlreadyRemote;
  // The state that is remote now.
  std::shared_ptr<const LocalManifest> remote;
  // The commit of the other server, if it could be read.
  std::optional<CommitStamp> other;
};

struct UploadRequest {
  WriterId writer;
  // Commit even when nothing changed: to take ownership.
  bool take_ownership = false;
  // Commit the deletion of the timeline, for good. It counts here once it is remote; until then the
  // state stays what it was, and what an attempt found out about the log is noted in it.
  bool delete_timeline = false;
  // Layers that are copied into the commit, and the objects that they are to leave; one that is not
  // there any more stays where it is.
  RepackMoves repack = {};
};

// Uploads the layers that are not remote, copies those that are to have another place, and commits
// the state of the timeline as it is at the start; then notes the commit in the state as it is by
// then, which may be further. Layer files and nonce journal lie in the directory of the metadata
// file. An earlier attempt that had landed unnoticed is adopted on the way. After an error the call
// may be repeated. A second upload of the timeline waits for the first.
Result<UploadResult> upload_timeline(const SyncContext& context, const UploadRequest& request,
                                     KeptTimeline& timeline, const ByteProgress& progress,
                                     const CallOptions& options);

}  // namespace varve
