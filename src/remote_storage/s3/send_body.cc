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

// Sends the body with the given checksum, which is not kAutomatic.
Result<SentBody> send_with(S3Client& client, S3Request request, Checksum checksum,
                           const CallOptions& options) {
  std::array<uint8_t, 16> sent_md5{};
  switch (checksum) {
    case Checksum::kAutomatic:
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
  if (auto* failure = std::get_if<Failure>(&answer)) return SentBody(std::move(*failure));
  const auto& response = std::get<HttpResponse>(answer);
  std::string etag(find_header(response.headers, "etag").value_or(""));
  if (checksum == Checksum::kMd5 && has_md5_etag(response) &&
      etag != "\"" + hex_encode(sent_md5) + "\"") {
    return make_error(ErrorCode::kCorrupted,
                      "{} was stored with MD5 {}: {} was sent, something on the way or the server "
                      "changes bodies",
                      request.key, etag, hex_encode(sent_md5));
  }
  return SentBody(std::move(etag));
}

// Amazon S3 API reference, PutObject and UploadPart: buckets with object lock demand one. Other
// reasons for the same refusal are answered in the same way again.
bool may_lack_checksum(const SentBody& sent) {
  const auto* failure = std::get_if<Failure>(&sent);
  return failure != nullptr &&
         (failure->code == "InvalidRequest" || failure->code == "MissingContentMD5");
}

}  // namespace

Result<SentBody> send_body(S3Client& client, const S3Request& request, Checksum checksum,
                           const CallOptions& options) {
  if (checksum != Checksum::kAutomatic) return send_with(client, request, checksum, options);
  VARVE_ASSIGN(const bool is_signed, client.signs_bodies(options));
  if (is_signed && !client.demands_checksums()) {
    VARVE_ASSIGN(SentBody sent, send_with(client, request, Checksum::kNone, options));
    if (!may_lack_checksum(sent)) return sent;
  }
  VARVE_ASSIGN(SentBody sent, send_with(client, request, Checksum::kMd5, options));
  if (is_signed && std::holds_alternative<std::string>(sent)) {
    client.remember_checksums_are_demanded();
  }
  return sent;
}

}  // namespace varve::s3
