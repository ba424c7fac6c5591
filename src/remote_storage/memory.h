// Objects in memory, for tests and for trying things out: nothing outlives the process.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "remote_storage/remote_storage.h"

namespace varve {

// Thread-safe, but destroy it after every upload that it started.
class MemoryStorage : public RemoteStorage {
 public:
  // `clock` must outlive it; it gives the times of objects and judges deadlines.
  explicit MemoryStorage(Clock& clock = system_clock());
  // One that claims to be able to do less.
  MemoryStorage(Clock& clock, StorageTraits traits);

  const StorageTraits& traits() const override { return traits_; }
  std::string url() const override { return "memory:"; }

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
  struct Parts;
  struct RunningUpload {
    std::string key;
    Timestamp started_at;
    std::shared_ptr<Parts> parts;
  };
  struct Object {
    std::shared_ptr<const Bytes> body;
    Timestamp last_modified;
  };

  Result<> store(std::string_view key, Bytes body, PutCondition condition);
  Result<Object> find(std::string_view key) const;

  const StorageTraits traits_;
  Clock& clock_;
  mutable std::mutex mutex_;
  // Ordered as std::string compares: as unsigned bytes.
  std::map<std::string, Object, std::less<>> objects_;
  // By upload ID.
  std::map<std::string, RunningUpload, std::less<>> uploads_;
  uint64_t next_upload_ = 1;
};

}  // namespace varve
