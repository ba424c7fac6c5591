// Sends a pack: an object of unknown size, in parts, several of them in flight.
#pragma once

#include <memory>

#include "remote_storage/parallel_upload.h"
#include "storage_sync/manifest.h"
#include "storage_sync/object_format.h"
#include "storage_sync/sync_context.h"

namespace varve {

// Not thread-safe; sends on context.transfer_pool. Until finish() succeeded nothing is visible in
// the storage; destroyed before, the upload is aborted.
class PackWriter {
 public:
  static Result<std::unique_ptr<PackWriter>> start(const SyncContext& context,
                                                   const ObjectName& pack,
                                                   const CallOptions& options);

  const ObjectName& name() const { return pack_; }
  // Bytes appended so far.
  uint64_t size() const { return upload_->size(); }

  Result<> append(ByteView bytes) { return upload_->append(bytes); }
  // Appends manifest and trailer, waits for all parts and makes the pack visible.
  Result<> finish(const PackManifest& manifest);

 private:
  PackWriter(const SyncContext& context, const ObjectName& pack,
             std::unique_ptr<ParallelUpload> upload)
      : context_(context), pack_(pack), upload_(std::move(upload)) {}

  const SyncContext& context_;
  const ObjectName pack_;
  const std::unique_ptr<ParallelUpload> upload_;
};

}  // namespace varve
