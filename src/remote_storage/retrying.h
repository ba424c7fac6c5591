// Repeats what failed and may succeed later. The only place in the program that repeats requests.
#pragma once

#include "base/metrics.h"
#include "base/random.h"
#include "remote_storage/operation.h"
#include "remote_storage/remote_storage.h"
#include "runtime/backoff.h"

namespace varve {

// Repeats calls that fail with a retryable() code, waiting longer each time and at least as long as
// the storage asked for (Error::retry_after(), up to a minute), until one succeeds, the attempts
// are used up, or the caller's deadline leaves no time for another. Then the last error comes back,
// so that Unavailable still says Unavailable; a stop request while it waits is Cancelled.
//
//  - get() goes on where the stream broke off, so a sink never gets a byte twice. When the object
//  was
//    replaced meanwhile, the download fails with Unavailable, since the sink holds the beginning of
//    another. An error of the sink itself is final, whatever its code.
//  - put() with kIfAbsent may answer Conflict although the object is its own: an earlier attempt
//  had landed, and
//    only its acknowledgement was lost. Callers that must know put a nonce into the object and read
//    it.
//  - A multipart upload repeats its parts singly. When a completion is refused after an earlier one
//    broke off, the earlier error is the result: ask with head().
//  - remove() repeats those keys alone whose removal may succeed later.
//
// Metric: varve_remote_storage_retries_total{operation}.
//
// Thread-safe. Destroy it after every upload that it started.
class Retrying : public RemoteStorage {
 public:
  struct Options {
    // Of one call, the first included; at least 1.
    int attempts = 5;
    BackoffOptions backoff = {.initial = std::chrono::milliseconds(200),
                              .maximum = std::chrono::seconds(10)};
    // All outlive it; no metrics are exported without.
    Clock* clock = &system_clock();
    Random* random = &system_random();
    Metrics* metrics = nullptr;
  };
  Retrying(std::unique_ptr<RemoteStorage> inner, const Options& options);

  const StorageTraits& traits() const override { return inner_->traits(); }
  std::string url() const override { return inner_->url(); }

  Result<ListPage> list(std::string_view prefix, std::string_view after,
                        const CallOptions& options) override;
  Result<> put(std::string_view key, ByteView body, PutCondition condition,
               const CallOptions& options) override;
  Result<std::unique_ptr<MultipartUpload>> start_multipart(std::string_view key, uint64_t part_size,
                                                           const CallOptions& options) override;
  Result<UploadPage> list_uploads(std::string_view prefix, std::string_view continuation,
                                  const CallOptions& options) override;
  Result<> abort_upload(std::string_view key, std::string_view upload_id,
                        const CallOptions& options) override;
  Result<ObjectInfo> get(std::string_view key, const ByteRange& range, const ByteSink& sink,
                         const CallOptions& options) override;
  Result<ObjectInfo> head(std::string_view key, const CallOptions& options) override;
  Result<std::vector<FailedRemoval>> remove(const std::vector<std::string>& keys,
                                            const CallOptions& options) override;

 private:
  class Upload;
  class Download;

  // What is repeated, for messages.
  struct Call {
    Operation operation;
    std::string_view key;
    const CallOptions& options;
  };
  // `is_final` says of a failed attempt that it must not be repeated whatever its code.
  template <typename Attempt, typename IsFinal>
  auto repeat(const Call& call, Attempt attempt, IsFinal is_final) -> decltype(attempt());
  template <typename Attempt>
  auto repeat(const Call& call, Attempt attempt) -> decltype(attempt());
  // Waits for the next attempt after so many failures; an error ends the call with it.
  Result<> wait(const Call& call, int failures, const Error& error);

  const std::unique_ptr<RemoteStorage> inner_;
  const Options options_;
};

}  // namespace varve
