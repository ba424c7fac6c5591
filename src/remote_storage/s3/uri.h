// Percent-encoding as S3 and its signatures have it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace varve::s3 {

enum class Slash { kKept, kEncoded };

// Everything but A-Z a-z 0-9 - . _ ~ as %XX with upper-case digits: "UriEncode" of the Amazon S3
// API reference, "Authenticating Requests: Using the Authorization Header". The slash is kept in
// the path of an object and encoded in a query.
std::string uri_encode(std::string_view text, Slash slash);

// The bytes that %XX stand for; a '%' that no two hex digits follow stands for itself.
std::string uri_decode(std::string_view text);

// The text that an answer to a request with encoding-type=url holds. AWS writes a blank as '+' and
// a plus as %2B, other servers write %20. Corrupted when a '%' is not followed by two hex digits.
Result<std::string> decode_listed(std::string_view text);

// Where the parts of an http or https URL are; the views are into the URL.
struct UrlParts {
  std::string_view scheme;
  // Host with port, as the URL has them.
  std::string_view authority;
  // "/" when the URL has none.
  std::string_view path = "/";
  // Without the '?'.
  std::string_view query = {};

  // What the "host" header says: the authority without the scheme's own port.
  std::string_view host_header() const;
  // The host alone, without port; an IPv6 address without its brackets.
  std::string_view host() const;
};

// InvalidArgument for anything but http[s]://host[:port][/path][?query]. No message shows the URL.
Result<UrlParts> split_url(std::string_view url);

}  // namespace varve::s3
