// Signed requests to one bucket.
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <variant>

#include "remote_storage/s3/bandwidth.h"
#include "remote_storage/s3/concurrency_limit.h"
#include "remote_storage/s3/credentials.h"
#include "remote_storage/s3/endpoint.h"
#include "remote_storage/s3/errors.h"
#include "remote_storage/s3/http.h"
#include "remote_storage/s3/s3_options.h"

namespace varve::s3 {

// What shares a limit of requests at once.
enum class RequestKind { kRead, kWrite, kList, kRemove };

struct S3Request {
  RequestKind kind = RequestKind::kRead;
  std::string method = "GET";
  // As it stands in the bucket; empty for a request about the bucket.
  std::string key = {};
  Query query = {};
  Headers headers = {};
  // Valid during the call.
  ByteView body = {};
};

// A success (2xx), or what the server refused it with.
using S3Answer = std::variant<HttpResponse, Failure>;

// Makes single attempts like the storage that it serves, with one exception: a request that was
// refused because of what the client itself can mend is sent once more for each such reason. These
// are credentials that have expired and have a successor, a clock that differs from the server's,
// and a bucket that is elsewhere; time and place are remembered. Thread-safe.
class S3Client {
 public:
  struct Settings {
    Endpoint endpoint;
    S3Options options;
    // All outlive it.
    HttpTransport& transport;
    CredentialsProvider& credentials;
    Clock& clock;
  };
  explicit S3Client(const Settings& settings);

  // Fails when there was no answer. An error of the sink comes back as it is.
  Result<S3Answer> exchange(const S3Request& request, const HttpSink* sink,
                            const CallOptions& options);

  // The same, where every refusal is an error.
  Result<HttpResponse> send(const S3Request& request, const HttpSink* sink,
                            const CallOptions& options);

  // Whether signatures cover bodies. Fails as the source of the credentials does.
  Result<bool> signs_bodies(const CallOptions& options) const;

  // Whether the server has refused a body without a checksum.
  bool demands_checksums() const { return demands_checksums_; }
  void remember_checksums_are_demanded() { demands_checksums_ = true; }

  // Whether an answer has shown that the bucket exists.
  bool bucket_was_seen() const { return bucket_was_seen_; }

  // What messages say of the request.
  FailedRequest describe(const S3Request& request) const;

 private:
  class Exchange;

  Endpoint endpoint() const;
  bool signs_bodies_to(const Endpoint& endpoint) const;
  void move_to(const Endpoint& endpoint);
  ConcurrencyLimit& limit(RequestKind kind) { return limits_[static_cast<size_t>(kind)]; }

  const S3Options options_;
  HttpTransport& transport_;
  CredentialsProvider& credentials_;
  Clock& clock_;
  Bandwidth sending_;
  Bandwidth receiving_;
  std::array<ConcurrencyLimit, 4> limits_;
  // Microseconds that the server's clock is ahead of ours.
  std::atomic<int64_t> clock_offset_ = 0;
  std::atomic<bool> bucket_was_seen_ = false;
  std::atomic<bool> demands_checksums_ = false;
  mutable std::mutex mutex_;
  Endpoint endpoint_;
};

}  // namespace varve::s3
