// Counts the requests that a storage is sent.
#pragma once

#include <mutex>

#include "base/metrics.h"
#include "remote_storage/prices.h"
#include "remote_storage/remote_storage.h"
#include "remote_storage/request_counts.h"

namespace varve {

// Belongs directly around the storage, inside of what retries, so that every attempt is counted.
// Thread-safe. Destroy it after every upload that it started.
//
// Metrics: varve_remote_storage_requests_total{operation,result},
// varve_remote_storage_bytes_total{direction}, varve_remote_storage_request_seconds{operation},
// varve_remote_storage_cost_usd_total. They start from 0 with the process, as Prometheus expects,
// whatever `initial` is.
class Metered : public RemoteStorage {
 public:
  struct Options {
    // What counts() starts from.
    RequestCounts initial = {};
    Prices prices = kS3StandardPrices;
    // Both outlive it; no metrics are exported without.
    Metrics* metrics = nullptr;
    Clock* clock = &system_clock();
  };
  Metered(std::unique_ptr<RemoteStorage> inner, const Options& options);
  ~Metered() override;

  RequestCounts counts() const;

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
  class Exporter;

  // Makes the call and counts it; `sent` bytes went with it if it succeeds.
  template <typename Call>
  auto measure(Operation operation, uint64_t sent, Call call) -> decltype(call());
  void count(Operation operation, std::optional<ErrorCode> code, uint64_t sent, Duration taken);
  void count_received(uint64_t bytes);

  const std::unique_ptr<RemoteStorage> inner_;
  Clock& clock_;
  const std::unique_ptr<Exporter> exporter_;
  mutable std::mutex mutex_;
  RequestCounts counts_;
};

}  // namespace varve
