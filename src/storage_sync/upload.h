// Bringing the state of a timeline into the remote storage: one commit of its log.
#pragma once

#include <filesystem>

#include "storage_sync/local_manifest.h"
#include "storage_sync/sync_context.h"

namespace varve {

enum class UploadOutcome {
  kUploaded,       // A commit was made, or one that had landed unnoticed was adopted.
  kAlreadyRemote,  // Nothing differs from the newest commit: no request was sent.
  kFenced,         // Another server writes to the log. Nothing was changed.
};

struct UploadResult {
  UploadOutcome outcome = UploadOutcome::kAlreadyRemote;
  // The commit of the other server, if it could be read.
  std::optional<CommitStamp> other;
};

struct UploadRequest {
  // Where the layer files, the metadata file and the nonce journal are.
  std::filesystem::path directory;
  WriterId writer;
  // Commit even when nothing changed: to take ownership.
  bool take_ownership = false;
};

// Uploads the layers of `local` that are not remote and commits its state; then notes the new head
// in `local` and in the metadata file. An earlier attempt that had landed unnoticed is adopted on
// the way. After an error `local` is as it was, and the call may be repeated.
Result<UploadResult> upload_timeline(const SyncContext& context, const UploadRequest& request,
                                     LocalManifest& local, const ByteProgress& progress,
                                     const CallOptions& options);

}  // namespace varve
