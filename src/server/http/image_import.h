// A timeline in the making whose images come in batches, one request each.
#pragma once

#include <mutex>

#include "server/http/image_batch.h"
#include "server/page_service.h"

namespace varve::http {

// Thread-safe.
class ImageImport {
 public:
  explicit ImageImport(std::unique_ptr<TimelineImport> timeline) : timeline_(std::move(timeline)) {}

  // Takes batch number `number`, counted from 0. The last one may come again: then its answer was
  // lost, and it is not taken twice. Conflict for any other number. InvalidArgument for a batch
  // that is damaged or out of order; then nothing of it was taken. After any other error the import
  // is to be given up.
  Result<> put(uint64_t number, ByteView batch);

  // Once, after `batches` batches.
  Result<Json> commit(uint64_t batches, const ImportedCluster& cluster, const CallOptions& call,
                      const ByteProgress& uploaded);

 private:
  Result<> check_usable() const;

  std::mutex mutex_;
  const std::unique_ptr<TimelineImport> timeline_;
  uint64_t next_ = 0;
  std::optional<Key> last_;
  bool ended_ = false;
};

}  // namespace varve::http
