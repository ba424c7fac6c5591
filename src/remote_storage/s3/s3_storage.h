// A bucket of S3, or of a server that speaks its protocol, as a remote storage.
//
// What S3 can't do and the contract asks for is made up of several requests: an empty range and one
// that starts at the object's end take a HEAD, and a HEAD that is refused is followed by a GET of
// one byte, since only that has a document that says why. Times have the resolution of HTTP's, one
// second. Source: the Amazon S3 API reference.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "remote_storage/remote_storage.h"
#include "remote_storage/s3/s3_client.h"
#include "remote_storage/url.h"

namespace varve::s3 {

class S3Storage : public RemoteStorage {
 public:
  struct Options {
    // Region and endpoint completed from the environment.
    S3Location location;
    S3Options options = {};
    std::unique_ptr<HttpTransport> transport;
    // May use the transport.
    std::unique_ptr<CredentialsProvider> credentials;
    // Outlives it.
    Clock* clock = &system_clock();
  };
  // Sends nothing. InvalidArgument when the endpoint is none.
  static Result<std::unique_ptr<S3Storage>> open(Options options);

  const StorageTraits& traits() const override { return traits_; }
  std::string url() const override { return to_url(location_); }

  // Objects whose names are no keys, such as the "folders" that consoles make, are left out.
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
  S3Storage(Options options, Endpoint endpoint);

  // "<prefix>/<key>". InvalidArgument for what is no key, or is too long with the prefix.
  Result<std::string> name_of(std::string_view key) const;
  // The key of a name in the bucket; none when it is not one of this storage's.
  std::optional<std::string> key_of(std::string_view name) const;
  Headers new_object_headers() const;
  Result<ObjectInfo> get_nothing(std::string_view key, const ByteRange& range, const ByteSink& sink,
                                 const CallOptions& options);
  Result<ObjectInfo> head_by_get(std::string_view key, const std::string& name,
                                 const CallOptions& options);
  Result<std::vector<FailedRemoval>> remove_in_bulk(const std::set<std::string>& distinct,
                                                    const CallOptions& options);

  const StorageTraits traits_;
  const S3Location location_;
  const S3Options options_;
  // "" or "<prefix>/".
  const std::string prefix_;
  const std::unique_ptr<HttpTransport> transport_;
  const std::unique_ptr<CredentialsProvider> credentials_;
  S3Client client_;
};

}  // namespace varve::s3
