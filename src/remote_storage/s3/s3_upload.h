// A multipart upload to S3.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>

#include "remote_storage/part_sizes.h"
#include "remote_storage/remote_storage.h"
#include "remote_storage/s3/s3_client.h"

namespace varve::s3 {

// Parts go with an MD5 where objects go with one of the newer checksums.
class S3Upload : public MultipartUpload {
 public:
  struct Target {
    // As it stands in the bucket.
    std::string name;
    std::string key;
    std::string upload_id;
    uint64_t part_size = 0;
  };
  // Both outlive it.
  S3Upload(S3Client& client, const StorageTraits& traits, Checksum checksum, Target target);
  // Aborts it unless it was completed, and takes a few seconds at most for that.
  ~S3Upload() override;

  Result<> upload_part(uint32_t number, ByteView body, const CallOptions& options) override;
  Result<> complete(uint32_t parts, const CallOptions& options) override;
  Result<> abort(const CallOptions& options) override;

 private:
  Result<> check_open() const;
  // Remembers that the server does not know the upload any more.
  Error take(Failure failure);
  std::vector<std::string> etags() const;

  S3Client& client_;
  const StorageTraits& traits_;
  const Checksum checksum_;
  const Target target_;
  PartSizes sizes_;
  std::atomic<bool> ended_ = false;
  mutable std::mutex mutex_;
  std::map<uint32_t, std::string> etags_;
};

// Ends an upload; one that is gone counts as ended.
Result<> abort_s3_upload(S3Client& client, const std::string& name, const std::string& upload_id,
                         const CallOptions& options);

}  // namespace varve::s3
