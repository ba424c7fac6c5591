#include "remote_storage/s3/credentials_source.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace varve::s3 {
namespace {

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

// The text of a member; none when it is absent or null.
Result<std::optional<std::string>> text_member(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::nullopt;
  if (!found->is_string()) return make_error(ErrorCode::kCorrupted, "'{}' is not a text", name);
  return found->get<std::string>();
}

// A code may be shown; what an answer puts in place of one may not.
bool is_code(std::string_view text) {
  return text.size() <= 64 && std::ranges::all_of(text, [](unsigned char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
         });
}

Result<Credentials> read_credentials(const nlohmann::json& object) {
  VARVE_ASSIGN(const auto code, text_member(object, "Code"));
  if (code && *code != "Success") {
    return make_error(ErrorCode::kDenied, "refused with {}",
                      is_code(*code) ? *code : "a code that is none");
  }
  VARVE_ASSIGN(auto access_key_id, text_member(object, "AccessKeyId"));
  VARVE_ASSIGN(auto secret_access_key, text_member(object, "SecretAccessKey"));
  VARVE_ASSIGN(auto session_token, text_member(object, "Token"));
  VARVE_ASSIGN(auto expiration, text_member(object, "Expiration"));
  if (!access_key_id || !secret_access_key) {
    return make_error(ErrorCode::kCorrupted, "no 'AccessKeyId' or no 'SecretAccessKey' in it");
  }
  Credentials credentials{.access_key_id = std::move(*access_key_id),
                          .secret_access_key = std::move(*secret_access_key),
                          .session_token = session_token.value_or("")};
  if (expiration) {
    const auto time = Timestamp::parse(*expiration);
    if (!time.ok()) return make_error(ErrorCode::kCorrupted, "'Expiration' is not a time");
    credentials.expires_at = *time;
  }
  return checked(std::move(credentials), {.access_key_id = "AccessKeyId",
                                          .secret_access_key = "SecretAccessKey",
                                          .session_token = "Token"});
}

}  // namespace

Result<Credentials> checked(Credentials credentials, const CredentialNames& names) {
  const auto refuse = [](std::string_view name, std::string_view reason) {
    return make_error(ErrorCode::kDenied, "{} {}", name, reason);
  };
  if (credentials.access_key_id.empty()) return refuse(names.access_key_id, "is not set");
  if (credentials.secret_access_key.empty()) return refuse(names.secret_access_key, "is not set");
  constexpr std::string_view kNotPrintable =
      "contains a blank or another character that no key has";
  if (!is_printable(credentials.access_key_id)) return refuse(names.access_key_id, kNotPrintable);
  if (!is_printable(credentials.secret_access_key)) {
    return refuse(names.secret_access_key, kNotPrintable);
  }
  if (!is_printable(credentials.session_token)) return refuse(names.session_token, kNotPrintable);
  return credentials;
}

Result<Credentials> parse_credentials_json(ByteView body) {
  const auto parsed = nlohmann::json::parse(as_text(body), nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) {
    return make_error(ErrorCode::kCorrupted, "the answer is not a JSON object");
  }
  return read_credentials(parsed);
}

}  // namespace varve::s3
