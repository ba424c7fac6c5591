#include "remote_storage/s3/digests.h"

#include <gtest/gtest.h>

#include "base/hex.h"

namespace varve::s3 {
namespace {

// RFC 1321, section A.5.
TEST(S3Digests, Md5) {
  EXPECT_EQ(hex_encode(md5({})), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(hex_encode(md5(as_bytes("message digest"))), "f96b697d7cb7938d525a2f31aaf161d0");
}

// RFC 4648, section 10.
TEST(S3Digests, Base64) {
  EXPECT_EQ(base64_encode({}), "");
  EXPECT_EQ(base64_encode(as_bytes("f")), "Zg==");
  EXPECT_EQ(base64_encode(as_bytes("fooba")), "Zm9vYmE=");
  EXPECT_EQ(base64_encode(as_bytes("foobar")), "Zm9vYmFy");
}

// RFC 3720, section B.4: the CRC of 32 zeros is 0x8A9136AA.
TEST(S3Digests, Crc32c) {
  EXPECT_EQ(crc32c_base64(Bytes(32, 0)), "ipE2qg==");
}

}  // namespace
}  // namespace varve::s3
