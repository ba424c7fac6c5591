// Sends a pack: an object of unknown size, in parts, several of them in flight.
#pragma once

#include <deque>
#include <future>
#include <memory>

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
  ~PackWriter();
  PackWriter(const PackWriter&) = delete;
  PackWriter& operator=(const PackWriter&) = delete;

  const ObjectName& name() const { return pack_; }
  // Bytes appended so far.
  uint64_t size() const { return size_; }

  Result<> append(ByteView bytes);
  // Appends manifest and trailer, waits for all parts and makes the pack visible.
  Result<> finish(const PackManifest& manifest);

 private:
  PackWriter(const SyncContext& context, const ObjectName& pack, CallOptions options)
      : context_(context), pack_(pack), options_(std::move(options)) {}

  Result<> send_buffer();
  Result<> wait_for_oldest();

  const SyncContext& context_;
  const ObjectName pack_;
  const CallOptions options_;
  std::unique_ptr<MultipartUpload> upload_;
  Bytes buffer_;
  uint64_t size_ = 0;
  uint32_t parts_ = 0;
  std::deque<std::future<Result<>>> in_flight_;
};

}  // namespace varve
