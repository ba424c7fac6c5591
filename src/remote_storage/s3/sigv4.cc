#include "remote_storage/s3/sigv4.h"

#include <fmt/chrono.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/hex.h"
#include "remote_storage/s3/uri.h"

namespace varve::s3 {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

using Digest = std::array<uint8_t, SHA256_DIGEST_LENGTH>;

Digest hmac_sha256(ByteView key, std::string_view text) {
  Digest digest{};
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), as_bytes(text).data(), text.size(),
       digest.data(), nullptr);
  return digest;
}

// "20130524"
std::string date_of(Timestamp time) {
  return amz_date(time).substr(0, 8);
}

std::string credential_scope(const SigningScope& scope, Timestamp time) {
  return fmt::format("{}/{}/{}/aws4_request", date_of(time), scope.region, scope.service);
}

Digest signing_key(const Credentials& credentials, const SigningScope& scope, Timestamp time) {
  const std::string secret = "AWS4" + credentials.secret_access_key;
  const Digest date_key = hmac_sha256(as_bytes(secret), date_of(time));
  const Digest region_key = hmac_sha256(date_key, scope.region);
  const Digest service_key = hmac_sha256(region_key, scope.service);
  return hmac_sha256(service_key, "aws4_request");
}

// Decoded and encoded again, so that what is signed does not depend on how the URL writes it.
std::string canonical_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view parameter = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (parameter.empty()) continue;
    const size_t equals = std::min(parameter.find('='), parameter.size());
    const std::string_view value = parameter.substr(std::min(equals + 1, parameter.size()));
    parameters.emplace_back(uri_encode(uri_decode(parameter.substr(0, equals)), Slash::kEncoded),
                            uri_encode(uri_decode(value), Slash::kEncoded));
  }
  std::ranges::sort(parameters);
  std::string canonical;
  for (const auto& [name, value] : parameters) {
    canonical += fmt::format("{}{}={}", canonical.empty() ? "" : "&", name, value);
  }
  return canonical;
}

// Without blanks at the ends, and with one in place of several.
std::string trimmed(std::string_view value) {
  std::string text;
  for (const char c : value) {
    const bool blank = c == ' ' || c == '\t';
    if (blank && (text.empty() || text.back() == ' ')) continue;
    text.push_back(blank ? ' ' : c);
  }
  if (text.ends_with(' ')) text.pop_back();
  return text;
}

bool is_signed(std::string_view header) {
  constexpr std::array<std::string_view, 5> kNotSigned{"authorization", "connection", "expect",
                                                       "user-agent", "transfer-encoding"};
  return std::ranges::find(kNotSigned, header) == kNotSigned.end();
}

// By name; values of the same name in their order, with commas.
std::map<std::string, std::string> signed_headers(const Headers& headers) {
  std::map<std::string, std::string> chosen;
  for (const auto& [name, value] : headers) {
    if (!is_signed(name)) continue;
    const auto [at, added] = chosen.try_emplace(name, trimmed(value));
    if (!added) at->second += "," + trimmed(value);
  }
  return chosen;
}

// "host;x-amz-date"
std::string names_of(const std::map<std::string, std::string>& headers) {
  std::string names;
  for (const auto& [name, value] : headers) names += (names.empty() ? "" : ";") + name;
  return names;
}

void set_header(Headers& headers, std::string_view name, std::string_view value) {
  std::erase_if(headers, [&](const auto& header) { return header.first == name; });
  headers.emplace_back(name, value);
}

}  // namespace

std::string sha256_hex(ByteView bytes) {
  Digest digest{};
  SHA256(bytes.data(), bytes.size(), digest.data());
  return hex_encode(digest);
}

std::string amz_date(Timestamp time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(
      std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(time.micros)));
  return fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(seconds.time_since_epoch().count()));
}

Result<std::string> canonical_request(const HttpRequest& request, std::string_view payload_hash) {
  VARVE_ASSIGN(const UrlParts url, split_url(request.url));
  const auto headers = signed_headers(request.headers);
  std::string lines;
  for (const auto& [name, value] : headers) lines += fmt::format("{}:{}\n", name, value);
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method,
                     uri_encode(uri_decode(url.path), Slash::kKept), canonical_query(url.query),
                     lines, names_of(headers), payload_hash);
}

std::string string_to_sign(std::string_view canonical_request, const SigningScope& scope,
                           Timestamp time) {
  return fmt::format("{}\n{}\n{}\n{}", kAlgorithm, amz_date(time), credential_scope(scope, time),
                     sha256_hex(as_bytes(canonical_request)));
}

Result<std::string> authorization(const HttpRequest& request, const Credentials& credentials,
                                  const SigningScope& scope, std::string_view payload_hash,
                                  Timestamp time) {
  VARVE_ASSIGN(const std::string canonical, canonical_request(request, payload_hash));
  const Digest signature =
      hmac_sha256(signing_key(credentials, scope, time), string_to_sign(canonical, scope, time));
  return fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm,
                     credentials.access_key_id, credential_scope(scope, time),
                     names_of(signed_headers(request.headers)), hex_encode(signature));
}

Result<> sign_request(HttpRequest& request, const Credentials& credentials,
                      const SigningScope& scope, std::string_view payload_hash, Timestamp time) {
  VARVE_ASSIGN(const UrlParts url, split_url(request.url));
  set_header(request.headers, "host", url.host_header());
  set_header(request.headers, "x-amz-content-sha256", payload_hash);
  set_header(request.headers, "x-amz-date", amz_date(time));
  if (!credentials.session_token.empty()) {
    set_header(request.headers, "x-amz-security-token", credentials.session_token);
  }
  VARVE_ASSIGN(const std::string value,
               authorization(request, credentials, scope, payload_hash, time));
  set_header(request.headers, "authorization", value);
  return {};
}

}  // namespace varve::s3
