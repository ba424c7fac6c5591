#include "remote_storage/s3/object_headers.h"

#include <charconv>

#include "remote_storage/s3/http_date.h"

namespace varve::s3 {
namespace {

// Takes a number from the front of `text`.
std::optional<uint64_t> take_number(std::string_view& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return {};
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

bool take(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

Error malformed(std::string_view name, std::optional<std::string_view> value) {
  if (!value) return make_error(ErrorCode::kCorrupted, "the answer has no header '{}'", name);
  return make_error(ErrorCode::kCorrupted, "the answer's header '{}' is '{}'", name, *value);
}

}  // namespace

Result<ContentRange> content_range(const HttpResponse& response) {
  const auto value = find_header(response.headers, "content-range");
  std::string_view rest = value.value_or("");
  if (!take(rest, "bytes ")) return malformed("content-range", value);
  const auto first = take_number(rest);
  if (!first || !take(rest, "-")) return malformed("content-range", value);
  const auto last = take_number(rest);
  if (!last || !take(rest, "/")) return malformed("content-range", value);
  const auto size = take_number(rest);
  if (!size || !rest.empty() || *last < *first || *last >= *size) {
    return malformed("content-range", value);
  }
  return ContentRange{.start = *first, .size = *last - *first + 1, .object_size = *size};
}

Result<uint64_t> content_length(const HttpResponse& response) {
  const auto value = find_header(response.headers, "content-length");
  std::string_view rest = value.value_or("");
  const auto size = take_number(rest);
  if (!size || !rest.empty()) return malformed("content-length", value);
  return *size;
}

Result<Timestamp> header_time(const HttpResponse& response, std::string_view name) {
  const auto value = find_header(response.headers, name);
  const auto time = parse_http_date(value.value_or(""));
  if (!time) return malformed(name, value);
  return *time;
}

bool has_md5_etag(const HttpResponse& response) {
  const auto encryption = find_header(response.headers, "x-amz-server-side-encryption");
  const auto etag = find_header(response.headers, "etag");
  // Of a multipart upload "<hex>-<parts>"; 32 digits in quotes otherwise.
  return etag && etag->size() == 34 && encryption.value_or("AES256") == "AES256" &&
         !find_header(response.headers, "x-amz-server-side-encryption-customer-algorithm");
}

}  // namespace varve::s3
