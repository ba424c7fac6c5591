// Sending the body of an object or a part so that it is stored as it was sent.
#pragma once

#include <string>
#include <variant>

#include "remote_storage/s3/s3_client.h"

namespace varve::s3 {

// Sends a request with its body and a checksum of it; gives the ETag, or what the server refused it
// with. An MD5 is also compared with an ETag that is one: Corrupted when another body was stored
// than was sent.
Result<std::variant<std::string, Failure>> send_body(S3Client& client, S3Request request,
                                                     Checksum checksum, const CallOptions& options);

}  // namespace varve::s3
