#include "remote_storage/s3/digests.h"

#include <openssl/evp.h>

#include "base/checksum.h"

namespace varve::s3 {

std::array<uint8_t, 16> md5(ByteView bytes) {
  std::array<uint8_t, 16> digest{};
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_md5(), nullptr);
  return digest;
}

std::string base64_encode(ByteView bytes) {
  // EVP_EncodeBlock(3) also writes a final NUL.
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

std::string crc32c_base64(ByteView bytes) {
  std::array<uint8_t, 4> big_endian{};
  store_big(big_endian.data(), crc32c(bytes));
  return base64_encode(big_endian);
}

}  // namespace varve::s3
