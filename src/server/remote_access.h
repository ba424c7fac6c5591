// A remote storage with all that belongs around it: counted, retried, and with threads to use it.
#pragma once

#include <memory>
#include <string>

#include "remote_storage/local_fs.h"
#include "remote_storage/metered.h"
#include "remote_storage/remote_storage.h"
#include "runtime/thread_pool.h"
#include "storage_sync/sync_context.h"

namespace varve {

class RemoteAccess {
 public:
  struct Options {
    std::string url;
    LocalFs::Access access = LocalFs::Access::kRead;
    RequestCounts initial_counts;
    int compression_level = 3;
    // Outlives it; no metrics are exported without.
    Metrics* metrics = nullptr;
  };
  static Result<std::unique_ptr<RemoteAccess>> open(const Options& options);

  const SyncContext& context() const { return context_; }
  RequestCounts counts() const { return metered_->counts(); }

 private:
  RemoteAccess(std::unique_ptr<Metered> metered, const Options& options);

  // Owned by `storage_`.
  Metered* metered_;
  std::unique_ptr<RemoteStorage> storage_;
  ThreadPool codec_pool_;
  ThreadPool transfer_pool_;
  SyncContext context_;
};

}  // namespace varve
