#include "remote_storage/s3/send_body.h"

#include "base/hex.h"
#include "remote_storage/s3/digests.h"
#include "remote_storage/s3/object_headers.h"
#include "remote_storage/s3/sigv4.h"

namespace varve::s3 {
namespace {

std::string sha256_base64(ByteView body) {
  std::array<uint8_t, 32> digest{};
  hex_decode(sha256_hex(body), digest);
  return base64_encode(digest);
}

}  // namespace

Result<std::variant<std::string, Failure>> send_body(S3Client& client, S3Request request,
                                                     Checksum checksum,
                                                     const CallOptions& options) {
  std::array<uint8_t, 16> sent_md5{};
  switch (checksum) {
    case Checksum::kNone:
      break;
    case Checksum::kMd5:
      sent_md5 = md5(request.body);
      request.headers.emplace_back("content-md5", base64_encode(sent_md5));
      break;
    case Checksum::kCrc32c:
      request.headers.emplace_back("x-amz-checksum-crc32c", crc32c_base64(request.body));
      break;
    case Checksum::kSha256:
      request.headers.emplace_back("x-amz-checksum-sha256", sha256_base64(request.body));
      break;
  }
  VARVE_ASSIGN(S3Answer answer, client.exchange(request, nullptr, options));
  using Sent = std::variant<std::string, Failure>;
  if (auto* failure = std::get_if<Failure>(&answer)) return Sent(std::move(*failure));
  const auto& response = std::get<HttpResponse>(answer);
  std::string etag(find_header(response.headers, "etag").value_or(""));
  if (checksum == Checksum::kMd5 && has_md5_etag(response) &&
      etag != "\"" + hex_encode(sent_md5) + "\"") {
    return make_error(ErrorCode::kCorrupted,
                      "{} was stored with MD5 {}: {} was sent, something on the way or the server "
                      "changes bodies",
                      request.key, etag, hex_encode(sent_md5));
  }
  return Sent(std::move(etag));
}

}  // namespace varve::s3
