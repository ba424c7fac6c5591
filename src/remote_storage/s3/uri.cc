#include "remote_storage/s3/uri.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "base/hex.h"

namespace varve::s3 {
namespace {

bool is_unreserved(unsigned char byte) {
  return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
         (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

// The byte that the %XX at `at` stands for.
std::optional<char> escaped_byte(std::string_view text, size_t at) {
  uint8_t byte = 0;
  if (!hex_decode(text.substr(at + 1, 2), {&byte, 1})) return std::nullopt;
  return static_cast<char>(byte);
}

}  // namespace

std::string uri_encode(std::string_view text, Slash slash) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_unreserved(byte) || (c == '/' && slash == Slash::kKept)) {
      encoded.push_back(c);
    } else {
      encoded.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
  return encoded;
}

std::string uri_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    const auto byte = text[at] == '%' ? escaped_byte(text, at) : std::nullopt;
    decoded.push_back(byte.value_or(text[at]));
    if (byte) at += 2;
  }
  return decoded;
}

Result<std::string> decode_listed(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%') {
      const auto byte = escaped_byte(text, at);
      if (!byte) {
        return make_error(ErrorCode::kCorrupted,
                          "'{}' is not percent-encoded: a '%' lacks its two hex digits", text);
      }
      decoded.push_back(*byte);
      at += 2;
    } else {
      decoded.push_back(text[at] == '+' ? ' ' : text[at]);
    }
  }
  return decoded;
}

std::string_view UrlParts::host_header() const {
  const std::string_view port = scheme == "https" ? ":443" : ":80";
  return authority.ends_with(port) ? authority.substr(0, authority.size() - port.size())
                                   : authority;
}

std::string_view UrlParts::host() const {
  if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
  return authority.substr(0, authority.find(':'));
}

Result<UrlParts> split_url(std::string_view url) {
  const auto invalid = [] {
    return make_error(ErrorCode::kInvalidArgument,
                      "expected a URL such as https://host:port/path, without user, password or "
                      "fragment");
  };
  UrlParts parts;
  const size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return invalid();
  parts.scheme = url.substr(0, scheme_end);
  if (parts.scheme != "https" && parts.scheme != "http") return invalid();
  if (std::ranges::any_of(url, [](unsigned char c) { return c <= 0x20 || c == 0x7f || c == '#'; }))
    return invalid();

  std::string_view rest = url.substr(scheme_end + 3);
  if (const size_t question = rest.find('?'); question != std::string_view::npos) {
    parts.query = rest.substr(question + 1);
    rest = rest.substr(0, question);
  }
  if (const size_t slash = rest.find('/'); slash != std::string_view::npos) {
    parts.path = rest.substr(slash);
    rest = rest.substr(0, slash);
  }
  parts.authority = rest;
  const bool brackets_match = rest.starts_with('[') == (rest.find(']') != std::string_view::npos);
  if (!brackets_match || rest.find_first_of("@\\") != std::string_view::npos ||
      parts.host().empty()) {
    return invalid();
  }
  return parts;
}

}  // namespace varve::s3
