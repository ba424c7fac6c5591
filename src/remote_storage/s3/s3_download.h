// One GET of an object, checked against what was asked for.
#pragma once

#include <optional>
#include <string>

#include "remote_storage/remote_storage.h"
#include "remote_storage/s3/http.h"

namespace varve::s3 {

// Passes a body on to a sink. Not thread-safe.
class S3Download {
 public:
  // All outlive it. The range is one that a header can say: neither empty nor backwards.
  S3Download(std::string_view key, const ByteRange& range, const ByteSink& sink)
      : key_(key), range_(range), sink_(sink) {}

  // What to ask for; none: the whole object.
  std::optional<std::string> range_header() const;

  HttpSink http_sink();

  // After a success: the object. Unavailable when bytes are missing.
  Result<ObjectInfo> finish() const;

 private:
  Result<> start(const HttpResponse& response);
  Result<> write(ByteView bytes);

  const std::string_view key_;
  const ByteRange& range_;
  const ByteSink& sink_;
  ObjectInfo info_;
  uint64_t expected_ = 0;
  uint64_t received_ = 0;
};

// What an answer to a GET or HEAD says of an object.
Result<ObjectInfo> object_info(std::string_view key, const HttpResponse& response);

}  // namespace varve::s3
