// What the headers of an answer say of an object. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "remote_storage/remote_storage.h"
#include "remote_storage/s3/http.h"

namespace varve::s3 {

// "bytes 2-4/10": the first byte, the number of bytes and the size of the whole object.
struct ContentRange {
  uint64_t start = 0;
  uint64_t size = 0;
  uint64_t object_size = 0;
};
// Corrupted when the header is absent or malformed.
Result<ContentRange> content_range(const HttpResponse& response);

// Corrupted when the header is absent or no number.
Result<uint64_t> content_length(const HttpResponse& response);

// The time in a header such as "date" or "last-modified"; Corrupted when there is none.
Result<Timestamp> header_time(const HttpResponse& response, std::string_view name);

// Whether the ETag of an answer to a PUT is the MD5 of the body: not with keys of KMS. Amazon S3
// API reference, "Object", ETag.
bool has_md5_etag(const HttpResponse& response);

}  // namespace varve::s3
