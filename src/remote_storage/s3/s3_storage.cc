#include "remote_storage/s3/s3_storage.h"

#include <algorithm>
#include <iterator>

#include "remote_storage/checks.h"
#include "remote_storage/s3/digests.h"
#include "remote_storage/s3/object_headers.h"
#include "remote_storage/s3/s3_download.h"
#include "remote_storage/s3/s3_upload.h"
#include "remote_storage/s3/send_body.h"
#include "remote_storage/s3/uri.h"
#include "remote_storage/s3/xml.h"

namespace varve::s3 {
namespace {

// Amazon S3 API reference, ListObjectsV2 and ListMultipartUploads: the most of a page.
constexpr std::string_view kPageSize = "1000";

// Amazon S3 User Guide, "Multipart upload limits"; DeleteObjects takes 1,000 keys.
const StorageTraits kTraits{.kind = "s3",
                            .conditions_need_proof = true,
                            .pages_may_be_short = true,
                            .maximum_put_size = 5ULL << 30,
                            .maximum_remove_keys = 1000,
                            .minimum_part_size = 5ULL << 20,
                            .maximum_part_size = 5ULL << 30,
                            .maximum_parts = 10'000};

// HEAD says whole seconds, and listings of some servers more: they must not differ.
Timestamp whole_seconds(Timestamp time) {
  return {time.micros - time.micros % 1'000'000};
}

// XML 1.0 has no way to write most control characters, nor U+FFFE and U+FFFF.
bool fits_xml(std::string_view name) {
  const bool controls = std::ranges::any_of(
      name, [](unsigned char c) { return c < ' ' && c != '\t' && c != '\n' && c != '\r'; });
  return !controls && name.find("\xEF\xBF\xBE") == std::string_view::npos &&
         name.find("\xEF\xBF\xBF") == std::string_view::npos;
}

bool selects_nothing(const ByteRange& range) {
  return range.last ? *range.last == 0 : range.end && *range.end == range.start;
}

// Two texts in one, so that they can be told apart again.
std::string join_markers(std::string_view key, std::string_view upload_id) {
  return uri_encode(key, Slash::kEncoded) + "/" + uri_encode(upload_id, Slash::kEncoded);
}

}  // namespace

Result<std::unique_ptr<S3Storage>> S3Storage::open(Options options) {
  VARVE_ASSIGN(Endpoint endpoint, resolve_endpoint(options.location));
  return std::unique_ptr<S3Storage>(new S3Storage(std::move(options), std::move(endpoint)));
}

S3Storage::S3Storage(Options options, Endpoint endpoint)
    : traits_(kTraits),
      location_(std::move(options.location)),
      options_(std::move(options.options)),
      prefix_(location_.prefix.empty() ? "" : location_.prefix + "/"),
      transport_(std::move(options.transport)),
      credentials_(std::move(options.credentials)),
      client_({.endpoint = std::move(endpoint),
               .options = options_,
               .transport = *transport_,
               .credentials = *credentials_,
               .clock = *options.clock}) {}

Result<std::string> S3Storage::name_of(std::string_view key) const {
  VARVE_TRY(check_object_key(key));
  std::string name = prefix_ + std::string(key);
  if (!prefix_.empty()) VARVE_TRY(check_object_key(name).context("with the prefix of the storage"));
  return name;
}

std::optional<std::string> S3Storage::key_of(std::string_view name) const {
  if (!name.starts_with(prefix_)) return std::nullopt;
  std::string key(name.substr(prefix_.size()));
  if (!check_object_key(key).ok()) return std::nullopt;
  return key;
}

Headers S3Storage::new_object_headers() const {
  Headers headers{{"content-type", "application/octet-stream"}};
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) headers.emplace_back(name, value);
  };
  add("x-amz-storage-class", options_.storage_class);
  add("x-amz-server-side-encryption", options_.server_side_encryption);
  add("x-amz-server-side-encryption-aws-kms-key-id", options_.kms_key_id);
  return headers;
}

Result<ListPage> S3Storage::list(std::string_view prefix, std::string_view after,
                                 const CallOptions& options) {
  S3Request request{.kind = RequestKind::kList,
                    .query = {{"list-type", "2"},
                              {"encoding-type", "url"},
                              {"max-keys", std::string(kPageSize)},
                              {"prefix", prefix_ + std::string(prefix)}}};
  // Unlike a continuation token it may be any text, and S3 takes it on every page.
  if (!after.empty()) request.query.emplace_back("start-after", prefix_ + std::string(after));
  VARVE_ASSIGN(const HttpResponse response, client_.send(request, nullptr, options));
  const auto context = [&] { return fmt::format("listing of {}", url()); };
  VARVE_ASSIGN(ObjectListing listing, parse_object_listing(response.body).context(context()));
  ListPage page;
  if (listing.truncated) {
    const std::string& last = listing.objects.back().key;
    if (!last.starts_with(prefix_)) {
      return make_error(ErrorCode::kCorrupted, "{}: {} was listed, which is not under the prefix",
                        context(), last);
    }
    page.continuation = last.substr(prefix_.size());
  }
  VARVE_ASSIGN(page.storage_time, header_time(response, "date").context(context()));
  for (ListedObject& object : listing.objects) {
    auto key = key_of(object.key);
    if (!key) continue;
    page.objects.push_back({.key = std::move(*key),
                            .size = object.size,
                            .last_modified = whole_seconds(object.last_modified)});
  }
  return page;
}

Result<> S3Storage::put(std::string_view key, ByteView body, PutCondition condition,
                        const CallOptions& options) {
  VARVE_TRY(check_put(traits_, key, body.size(), condition));
  VARVE_ASSIGN(std::string name, name_of(key));
  S3Request request{.kind = RequestKind::kWrite,
                    .method = "PUT",
                    .key = std::move(name),
                    .headers = new_object_headers(),
                    .body = body};
  if (condition == PutCondition::kIfAbsent) request.headers.emplace_back("if-none-match", "*");
  VARVE_ASSIGN(auto sent, send_body(client_, request, options_.checksum, options));
  if (auto* failure = std::get_if<Failure>(&sent)) return std::move(failure->error);
  return {};
}

Result<std::unique_ptr<MultipartUpload>> S3Storage::start_multipart(std::string_view key,
                                                                    uint64_t part_size,
                                                                    const CallOptions& options) {
  VARVE_TRY(check_multipart(traits_, key, part_size));
  VARVE_ASSIGN(std::string name, name_of(key));
  const S3Request request{.kind = RequestKind::kWrite,
                          .method = "POST",
                          .key = name,
                          .query = {{"uploads", ""}},
                          .headers = new_object_headers()};
  VARVE_ASSIGN(const HttpResponse response, client_.send(request, nullptr, options));
  VARVE_ASSIGN(std::string upload_id, parse_created_upload(response.body).context(key));
  return std::make_unique<S3Upload>(client_, traits_, options_.checksum,
                                    S3Upload::Target{.name = std::move(name),
                                                     .key = std::string(key),
                                                     .upload_id = std::move(upload_id),
                                                     .part_size = part_size});
}

Result<UploadPage> S3Storage::list_uploads(std::string_view prefix, std::string_view continuation,
                                           const CallOptions& options) {
  // Without encoding-type: radosgw encodes keys then without saying so, and leaves the markers.
  S3Request request{.kind = RequestKind::kList,
                    .query = {{"uploads", ""},
                              {"max-uploads", std::string(kPageSize)},
                              {"prefix", prefix_ + std::string(prefix)}}};
  if (!continuation.empty()) {
    const size_t slash = continuation.find('/');
    request.query.emplace_back("key-marker", uri_decode(continuation.substr(0, slash)));
    std::string upload_id = uri_decode(continuation.substr(slash + 1));
    if (!upload_id.empty()) request.query.emplace_back("upload-id-marker", std::move(upload_id));
  }
  VARVE_ASSIGN(const HttpResponse response, client_.send(request, nullptr, options));
  const auto context = [&] { return fmt::format("listing of uploads of {}", url()); };
  VARVE_ASSIGN(UploadListing listing, parse_upload_listing(response.body).context(context()));
  UploadPage page;
  VARVE_ASSIGN(page.storage_time, header_time(response, "date").context(context()));
  if (listing.truncated) {
    page.continuation = join_markers(listing.next_key_marker, listing.next_upload_id_marker);
  }
  for (ListedUpload& upload : listing.uploads) {
    auto key = key_of(upload.key);
    if (!key) continue;
    page.uploads.push_back({.key = std::move(*key),
                            .upload_id = std::move(upload.upload_id),
                            .started_at = whole_seconds(upload.initiated)});
  }
  return page;
}

Result<> S3Storage::abort_upload(std::string_view key, std::string_view upload_id,
                                 const CallOptions& options) {
  VARVE_ASSIGN(const std::string name, name_of(key));
  return abort_s3_upload(client_, name, std::string(upload_id), options);
}

Result<ObjectInfo> S3Storage::get(std::string_view key, const ByteRange& range,
                                  const ByteSink& sink, const CallOptions& options) {
  VARVE_ASSIGN(std::string name, name_of(key));
  // Whatever the size of the object, a range that ends before it starts is none.
  VARVE_TRY(resolve_range(range, UINT64_MAX, key));
  if (selects_nothing(range)) return get_nothing(key, range, sink, options);
  S3Download download(key, range, sink);
  S3Request request{.key = std::move(name)};
  if (auto header = download.range_header()) {
    request.headers.emplace_back("range", *std::move(header));
  }
  const HttpSink http_sink = download.http_sink();
  VARVE_ASSIGN(S3Answer answer, client_.exchange(request, &http_sink, options));
  auto* failure = std::get_if<Failure>(&answer);
  if (failure == nullptr) return download.finish();
  // It starts at the end of the object or beyond it.
  if (failure->status == 416) return get_nothing(key, range, sink, options);
  return std::move(failure->error);
}

Result<ObjectInfo> S3Storage::get_nothing(std::string_view key, const ByteRange& range,
                                          const ByteSink& sink, const CallOptions& options) {
  VARVE_ASSIGN(const ObjectInfo info, head(key, options));
  VARVE_ASSIGN(const ByteInterval interval, resolve_range(range, info.size, key));
  if (interval.size > 0) {
    return make_error(ErrorCode::kUnavailable, "{} was replaced while it was read: read it again",
                      key);
  }
  VARVE_TRY(sink.start(info));
  return info;
}

Result<ObjectInfo> S3Storage::head(std::string_view key, const CallOptions& options) {
  VARVE_ASSIGN(const std::string name, name_of(key));
  VARVE_ASSIGN(S3Answer answer,
               client_.exchange({.method = "HEAD", .key = name}, nullptr, options));
  auto* failure = std::get_if<Failure>(&answer);
  if (failure == nullptr) return object_info(key, std::get<HttpResponse>(answer));
  // The same status may mean that there is no such bucket.
  const bool is_absent = failure->status == 404 && client_.bucket_was_seen();
  if (is_absent || retryable(failure->error.code())) return std::move(failure->error);
  return head_by_get(key, name, options);
}

Result<ObjectInfo> S3Storage::head_by_get(std::string_view key, const std::string& name,
                                          const CallOptions& options) {
  VARVE_ASSIGN(S3Answer answer, client_.exchange({.key = name, .headers = {{"range", "bytes=0-0"}}},
                                                 nullptr, options));
  auto* failure = std::get_if<Failure>(&answer);
  if (failure == nullptr) return object_info(key, std::get<HttpResponse>(answer));
  if (failure->status != 416) return std::move(failure->error);
  // An empty object, which has no byte to ask for: what stood in the way was mended meanwhile.
  VARVE_ASSIGN(const HttpResponse response,
               client_.send({.method = "HEAD", .key = name}, nullptr, options));
  return object_info(key, response);
}

Result<std::vector<FailedRemoval>> S3Storage::remove(const std::vector<std::string>& keys,
                                                     const CallOptions& options) {
  VARVE_TRY(check_removal(traits_, keys));
  VARVE_TRY(options.check("removal"));
  // Each name once: radosgw 16 dies of a request with many equal ones.
  std::set<std::string> names;
  std::vector<FailedRemoval> failed;
  for (const std::string& key : keys) {
    VARVE_ASSIGN(std::string name, name_of(key));
    if (fits_xml(name)) {
      names.insert(std::move(name));
      continue;
    }
    auto removed =
        client_.send({.kind = RequestKind::kRemove, .method = "DELETE", .key = std::move(name)},
                     nullptr, options);
    if (!removed.ok()) failed.push_back({.key = key, .error = std::move(removed).error()});
  }
  VARVE_ASSIGN(auto failed_in_bulk, remove_in_bulk(names, options));
  std::ranges::move(failed_in_bulk, std::back_inserter(failed));
  return failed;
}

Result<std::vector<FailedRemoval>> S3Storage::remove_in_bulk(const std::set<std::string>& distinct,
                                                             const CallOptions& options) {
  std::vector<FailedRemoval> failed;
  if (distinct.empty()) return failed;
  const std::vector<std::string> names(distinct.begin(), distinct.end());
  const std::string body = deletion_body(names);
  const S3Request request{.kind = RequestKind::kRemove,
                          .method = "POST",
                          .query = {{"delete", ""}},
                          // DeleteObjects demands it, whatever the checksum of objects.
                          .headers = {{"content-type", "application/xml"},
                                      {"content-md5", base64_encode(md5(as_bytes(body)))}},
                          .body = as_bytes(body)};
  VARVE_ASSIGN(const HttpResponse response, client_.send(request, nullptr, options));
  VARVE_ASSIGN(const Deletion deletion,
               parse_deletion(response.body).context(fmt::format("removal in {}", url())));
  for (const FailedDeletion& failure : deletion.failed) {
    auto key = key_of(failure.key);
    if (!key || failure.code == "NoSuchKey") continue;
    FailedRequest described = client_.describe(request);
    described.method = "DELETE";
    described.key = failure.key;
    failed.push_back({.key = *std::move(key),
                      .error = describe_error(described, 0,
                                              {.code = failure.code, .message = failure.message})});
  }
  return failed;
}

}  // namespace varve::s3
