// Sending the body of an object or a part so that it is stored as it was sent.
#pragma once

#include <string>
#include <variant>

#include "remote_storage/s3/s3_client.h"

namespace varve::s3 {

// The ETag, or what the server refused the request with.
using SentBody = std::variant<std::string, Failure>;

// Sends a request with its body and a checksum of it. An MD5 is also compared with an ETag that is
// one: Corrupted when another body was stored than was sent.
Result<SentBody> send_body(S3Client& client, const S3Request& request, Checksum checksum,
                           const CallOptions& options);

}  // namespace varve::s3
