#include "remote_storage/s3/s3_upload.h"

#include "base/logging.h"
#include "remote_storage/checks.h"
#include "remote_storage/s3/send_body.h"
#include "remote_storage/s3/xml.h"

namespace varve::s3 {
namespace {

constexpr Duration kAbortTimeout = std::chrono::seconds(5);

// With one of the newer ones every part's would have to be repeated at the completion, which not
// every server knows.
Checksum checksum_of_parts(Checksum checksum) {
  const bool is_newer = checksum == Checksum::kCrc32c || checksum == Checksum::kSha256;
  return is_newer ? Checksum::kMd5 : checksum;
}

bool is_gone(const Failure& failure) {
  return failure.code == "NoSuchUpload";
}

}  // namespace

S3Upload::S3Upload(S3Client& client, const StorageTraits& traits, Checksum checksum, Target target)
    : client_(client),
      traits_(traits),
      checksum_(checksum_of_parts(checksum)),
      target_(std::move(target)),
      sizes_(target_.key, target_.part_size) {}

S3Upload::~S3Upload() {
  if (ended_) return;
  auto aborted = abort({.deadline = Deadline::after(kAbortTimeout)});
  if (!aborted.ok()) {
    log_error("an unfinished upload is left in the bucket and takes up space", aborted.error());
  }
}

Result<> S3Upload::upload_part(uint32_t number, ByteView body, const CallOptions& options) {
  VARVE_TRY(check_part(traits_, target_.key, number, body.size(), target_.part_size));
  VARVE_TRY(check_open());
  // Parts count from 1: Amazon S3 API reference, UploadPart.
  const S3Request request{
      .kind = RequestKind::kWrite,
      .method = "PUT",
      .key = target_.name,
      .query = {{"partNumber", std::to_string(number + 1)}, {"uploadId", target_.upload_id}},
      .body = body};
  VARVE_ASSIGN(auto sent, send_body(client_, request, checksum_, options));
  if (auto* failure = std::get_if<Failure>(&sent)) return take(std::move(*failure));
  auto& etag = std::get<std::string>(sent);
  if (etag.empty()) {
    return make_error(ErrorCode::kCorrupted, "part {} of {}: the answer has no ETag", number,
                      target_.key);
  }
  sizes_.add(number, body.size());
  const std::lock_guard lock(mutex_);
  etags_[number] = std::move(etag);
  return {};
}

Result<> S3Upload::complete(uint32_t parts, const CallOptions& options) {
  VARVE_TRY(options.check("completion of " + target_.key));
  VARVE_TRY(check_open());
  VARVE_TRY(sizes_.check_complete(parts));
  const std::string body = completion_body(etags());
  const S3Request request{.kind = RequestKind::kWrite,
                          .method = "POST",
                          .key = target_.name,
                          .query = {{"uploadId", target_.upload_id}},
                          .headers = {{"content-type", "application/xml"}},
                          .body = as_bytes(body)};
  VARVE_ASSIGN(auto answer, client_.exchange(request, nullptr, options));
  if (auto* failure = std::get_if<Failure>(&answer)) return take(std::move(*failure));
  auto completed = parse_completed_upload(std::get<HttpResponse>(answer).body);
  // Whatever the answer was to say, the object may be there.
  if (!completed.ok()) {
    return make_error(ErrorCode::kUnavailable, "completion of {}: {}", target_.key,
                      completed.error().message());
  }
  if (completed->error) return describe_error(client_.describe(request), 0, *completed->error);
  ended_ = true;
  return {};
}

Result<> S3Upload::abort(const CallOptions& options) {
  VARVE_TRY(abort_s3_upload(client_, target_.name, target_.upload_id, options));
  ended_ = true;
  return {};
}

Result<> S3Upload::check_open() const {
  if (!ended_) return {};
  return make_error(ErrorCode::kInvalidArgument, "the upload of {} has ended", target_.key);
}

Error S3Upload::take(Failure failure) {
  if (is_gone(failure)) ended_ = true;
  return std::move(failure.error);
}

std::vector<std::string> S3Upload::etags() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> etags;
  for (const auto& [number, etag] : etags_) etags.push_back(etag);
  return etags;
}

Result<> abort_s3_upload(S3Client& client, const std::string& name, const std::string& upload_id,
                         const CallOptions& options) {
  const S3Request request{.kind = RequestKind::kRemove,
                          .method = "DELETE",
                          .key = name,
                          .query = {{"uploadId", upload_id}}};
  VARVE_ASSIGN(auto answer, client.exchange(request, nullptr, options));
  auto* failure = std::get_if<Failure>(&answer);
  if (failure == nullptr || is_gone(*failure)) return {};
  return std::move(failure->error);
}

}  // namespace varve::s3
