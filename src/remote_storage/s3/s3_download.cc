#include "remote_storage/s3/s3_download.h"

#include "remote_storage/checks.h"
#include "remote_storage/s3/object_headers.h"

namespace varve::s3 {

std::optional<std::string> S3Download::range_header() const {
  if (range_.last) return fmt::format("bytes=-{}", *range_.last);
  if (range_.end) return fmt::format("bytes={}-{}", range_.start, *range_.end - 1);
  if (range_.start > 0) return fmt::format("bytes={}-", range_.start);
  return std::nullopt;
}

HttpSink S3Download::http_sink() {
  return {.start = [this](const HttpResponse& response) { return start(response); },
          .write = [this](ByteView bytes) { return write(bytes); }};
}

Result<> S3Download::start(const HttpResponse& response) {
  VARVE_ASSIGN(info_, object_info(key_, response));
  VARVE_ASSIGN(const ByteInterval wanted, resolve_range(range_, info_.size, key_));
  ByteInterval given{.start = 0, .size = info_.size};
  if (response.status == 206) {
    VARVE_ASSIGN(const ContentRange range, content_range(response));
    given = {.start = range.start, .size = range.size};
  }
  if (given.start != wanted.start || given.size != wanted.size) {
    return make_error(ErrorCode::kInternal,
                      "{}: {} bytes from {} were asked for, and the server answers with {} from {}",
                      key_, wanted.size, wanted.start, given.size, given.start);
  }
  expected_ = wanted.size;
  return sink_.start(info_);
}

Result<> S3Download::write(ByteView bytes) {
  received_ += bytes.size();
  if (received_ > expected_) {
    return make_error(ErrorCode::kInternal,
                      "{}: the answer has more than the {} bytes it announces", key_, expected_);
  }
  return sink_(bytes);
}

Result<ObjectInfo> S3Download::finish() const {
  if (received_ == expected_) return info_;
  return make_error(ErrorCode::kUnavailable, "{}: the answer ended after {} of {} bytes", key_,
                    received_, expected_);
}

Result<ObjectInfo> object_info(std::string_view key, const HttpResponse& response) {
  ObjectInfo info{.key = std::string(key)};
  const auto read = [&]() -> Result<> {
    if (response.status == 206) {
      VARVE_ASSIGN(const ContentRange range, content_range(response));
      info.size = range.object_size;
    } else {
      VARVE_ASSIGN(info.size, content_length(response));
    }
    VARVE_ASSIGN(info.last_modified, header_time(response, "last-modified"));
    return {};
  };
  VARVE_TRY(read().context(key));
  return info;
}

}  // namespace varve::s3
