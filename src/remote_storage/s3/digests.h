// The checksums that S3 takes with a body, and their text.
#pragma once

#include <array>
#include <string>

#include "base/bytes.h"

namespace varve::s3 {

// MD5 is what Content-MD5 and most ETags are made of; it protects against accidents only.
std::array<uint8_t, 16> md5(ByteView bytes);

// RFC 4648, with padding.
std::string base64_encode(ByteView bytes);

// The value of x-amz-checksum-crc32c: the CRC, big-endian, in base64.
std::string crc32c_base64(ByteView bytes);

}  // namespace varve::s3
