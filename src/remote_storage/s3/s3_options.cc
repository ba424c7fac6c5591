#include "remote_storage/s3/s3_options.h"

#include <algorithm>
#include <charconv>

namespace varve::s3 {
namespace {

// Reads one variable at a time; the first bad value is kept as the result.
class Reader {
 public:
  explicit Reader(const EnvironmentVariables& environment) : environment_(environment) {}

  std::optional<std::string> text(const std::string& name) const {
    return value_of(environment_, name);
  }

  // Visible ASCII, since it becomes a header.
  void header(const std::string& name, std::string& out) {
    const auto value = text(name);
    if (!value) return;
    if (std::ranges::all_of(*value, [](char c) { return c >= ' ' && c <= '~'; })) {
      out = *value;
    } else {
      refuse(name, "(not shown)", "ASCII characters");
    }
  }

  void number(const std::string& name, uint64_t minimum, uint64_t maximum, auto& out) {
    const auto value = text(name);
    if (!value) return;
    uint64_t parsed = 0;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), parsed);
    if (error == std::errc() && end == value->data() + value->size() && parsed >= minimum &&
        parsed <= maximum) {
      out = parsed;
    } else {
      refuse(name, *value, fmt::format("a number from {} to {}", minimum, maximum));
    }
  }

  void seconds(const std::string& name, Duration& out) {
    uint64_t value = 0;
    number(name, 1, 3600, value);
    if (value != 0) out = std::chrono::seconds(value);
  }

  template <typename Value>
  void choice(const std::string& name,
              const std::vector<std::pair<std::string_view, Value>>& choices, auto& out) {
    const auto value = text(name);
    if (!value) return;
    std::string known;
    for (const auto& [word, meaning] : choices) {
      if (word == *value) {
        out = meaning;
        return;
      }
      known += fmt::format("{}{}", known.empty() ? "" : ", ", word);
    }
    refuse(name, *value, "one of " + known);
  }

  void refuse(const std::string& name, std::string_view value, std::string_view expected) {
    if (error_) return;
    error_ =
        make_error(ErrorCode::kInvalidArgument, "{} is '{}': expected {}", name, value, expected);
  }

  const std::optional<Error>& error() const { return error_; }

 private:
  const EnvironmentVariables& environment_;
  std::optional<Error> error_;
};

}  // namespace

Result<S3Options> s3_options_from_environment(const EnvironmentVariables& environment) {
  S3Options options;
  Reader reader(environment);
  reader.choice<Checksum>("VARVE_S3_CHECKSUM",
                          {{"auto", Checksum::kAutomatic},
                           {"none", Checksum::kNone},
                           {"md5", Checksum::kMd5},
                           {"crc32c", Checksum::kCrc32c},
                           {"sha256", Checksum::kSha256}},
                          options.checksum);
  reader.choice<bool>("VARVE_S3_SIGN_PAYLOAD", {{"true", true}, {"false", false}},
                      options.sign_payload);
  reader.header("VARVE_S3_STORAGE_CLASS", options.storage_class);
  reader.choice<std::string>(
      "VARVE_S3_SSE",
      {{"AES256", "AES256"}, {"aws:kms", "aws:kms"}, {"aws:kms:dsse", "aws:kms:dsse"}},
      options.server_side_encryption);
  reader.header("VARVE_S3_SSE_KMS_KEY_ID", options.kms_key_id);
  if (!options.kms_key_id.empty() && !options.server_side_encryption.starts_with("aws:kms")) {
    reader.refuse("VARVE_S3_SSE", options.server_side_encryption,
                  "aws:kms or aws:kms:dsse, since VARVE_S3_SSE_KMS_KEY_ID names a key");
  }
  reader.header("VARVE_S3_USER_AGENT", options.user_agent);
  reader.number("VARVE_S3_MAX_REQUESTS", 1, 10'000, options.maximum_requests);
  reader.number("VARVE_S3_BANDWIDTH", 1, 1ULL << 40, options.bandwidth);
  reader.seconds("VARVE_S3_CONNECT_TIMEOUT", options.connect_timeout);
  reader.seconds("VARVE_S3_FIRST_BYTE_TIMEOUT", options.first_byte_timeout);
  reader.seconds("VARVE_S3_STALL_TIMEOUT", options.stall_timeout);
  options.ca_file = reader.text("VARVE_S3_CA_FILE")
                        .value_or(reader.text("AWS_CA_BUNDLE").value_or(std::string()));
  if (reader.error()) return *reader.error();
  return options;
}

}  // namespace varve::s3
