#include "remote_storage/url.h"

#include <cctype>
#include <set>

#include "remote_storage/s3/open_s3.h"

namespace varve {
namespace {

constexpr std::string_view kCredentialRemedy =
    "credentials do not belong into a URL: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use "
    "the shared credentials file";

template <typename... Args>
Error invalid(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(ErrorCode::kInvalidArgument, format, std::forward<Args>(args)...);
}

Result<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded.push_back(text[at]);
      continue;
    }
    uint8_t byte = 0;
    if (!hex_decode(text.substr(at + 1, 2), {&byte, 1})) {
      return invalid("a '%' in the URL is not followed by two hex digits: write it as %25");
    }
    decoded.push_back(static_cast<char>(byte));
    at += 2;
  }
  if (decoded.find('\0') != std::string::npos) return invalid("the URL contains a NUL (%00)");
  return decoded;
}

// Everything but the unreserved characters of RFC 3986 and `also`.
std::string percent_encode(std::string_view text, std::string_view also) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte < 0x80 && (std::isalnum(byte) != 0 ||
                                       std::string_view("-._~").find(c) != std::string_view::npos ||
                                       also.find(c) != std::string_view::npos);
    if (plain) {
      encoded.push_back(c);
    } else {
      encoded += fmt::format("%{:02X}", byte);
    }
  }
  return encoded;
}

// "a" and "b" of "aXb"; "b" is absent when there is no X.
std::pair<std::string_view, std::optional<std::string_view>> cut(std::string_view text, char at) {
  const size_t found = text.find(at);
  if (found == std::string_view::npos) return {text, std::nullopt};
  return {text.substr(0, found), text.substr(found + 1)};
}

Result<RemoteLocation> parse_file(std::string_view rest) {
  if (!rest.starts_with('/')) {
    return invalid(
        "a file URL has three slashes and an absolute path, as in file:///var/lib/varve: a host or "
        "a relative path is not possible");
  }
  if (rest.find_first_of("?#") != std::string_view::npos) {
    return invalid("a file URL has no parameters: in a path, write '?' as %3F and '#' as %23");
  }
  VARVE_ASSIGN(const std::string path, percent_decode(rest));
  std::filesystem::path root("/");
  for (const auto& component : std::filesystem::path(path)) {
    if (component == "..") return invalid("the path of a file URL must not contain '..'");
    if (component != "/" && component != "." && !component.empty()) root /= component;
  }
  return FileLocation{.root = std::move(root)};
}

// Amazon S3 User Guide, "General purpose bucket naming rules".
bool is_bucket_name(std::string_view name) {
  const auto is_alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  };
  if (name.size() < 3 || name.size() > 63) return false;
  if (!is_alphanumeric(name.front()) || !is_alphanumeric(name.back())) return false;
  return std::ranges::all_of(name,
                             [&](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; });
}

Result<> check_endpoint(std::string_view endpoint) {
  constexpr std::string_view kExpected =
      "endpoint must be a full URL such as https://s3.example.com:9000";
  std::string_view rest = endpoint;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return invalid("{}", kExpected);
  }
  const std::string_view authority = rest.substr(0, rest.find('/'));
  if (rest.find('@') != std::string_view::npos) return invalid("{}", kCredentialRemedy);
  if (authority.empty() || authority.starts_with(':') ||
      rest.find_first_of("?# \\\"<>") != std::string_view::npos ||
      std::ranges::any_of(rest, [](char c) { return static_cast<unsigned char>(c) <= 0x20; })) {
    return invalid("{}", kExpected);
  }
  return {};
}

bool is_credential_parameter(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::ranges::any_of(
      std::array{"key", "secret", "token", "password", "user"},
      [&](const char* part) { return name.find(part) != std::string::npos; });
}

Result<> set_parameter(S3Location& location, std::string_view name, std::string value) {
  if (name == "region") {
    const bool plain = !value.empty() && std::ranges::all_of(value, [](unsigned char c) {
      return c < 0x80 && (std::isalnum(c) != 0 || c == '-');
    });
    if (!plain) return invalid("region in the URL must be a name such as eu-central-1");
    location.region = std::move(value);
    return {};
  }
  if (name == "endpoint") {
    VARVE_TRY(check_endpoint(value));
    location.endpoint = std::move(value);
    return {};
  }
  if (name == "path_style") {
    if (value != "true" && value != "false") return invalid("path_style must be true or false");
    location.path_style = value == "true";
    return {};
  }
  if (is_credential_parameter(std::string(name))) return invalid("{}", kCredentialRemedy);
  return invalid("unknown parameter '{}' in the URL: region, endpoint and path_style are known",
                 name);
}

Result<> parse_parameters(S3Location& location, std::string_view query) {
  std::set<std::string> seen;
  for (std::optional<std::string_view> rest = query; rest && !rest->empty();) {
    const auto [parameter, next] = cut(*rest, '&');
    rest = next;
    const auto [encoded_name, encoded_value] = cut(parameter, '=');
    VARVE_ASSIGN(std::string name, percent_decode(encoded_name));
    VARVE_ASSIGN(std::string value, percent_decode(encoded_value.value_or("")));
    VARVE_TRY(set_parameter(location, name, std::move(value)));
    if (!seen.insert(name).second) return invalid("'{}' is in the URL twice", name);
  }
  return {};
}

Result<RemoteLocation> parse_s3(std::string_view rest) {
  const auto [place, query] = cut(rest, '?');
  const auto [bucket, path] = cut(place, '/');
  // Before anything is shown: what stands before an '@' may be a secret key, with slashes in it.
  if (place.find('@') != std::string_view::npos) return invalid("{}", kCredentialRemedy);
  if (rest.find('#') != std::string_view::npos) {
    return invalid("an S3 URL has no fragment: in a prefix, write '#' as %23");
  }
  if (!is_bucket_name(bucket)) {
    return invalid(
        "'{}' is not a bucket name: expected s3://bucket/prefix, with 3 to 63 lower-case letters, "
        "digits, '-' and '.' in the bucket's name",
        bucket);
  }
  S3Location location{.bucket = std::string(bucket)};
  VARVE_ASSIGN(location.prefix, percent_decode(path.value_or("")));
  if (location.prefix.ends_with('/')) location.prefix.pop_back();
  if (!location.prefix.empty()) {
    VARVE_TRY(check_object_key(location.prefix).context("prefix in the URL"));
  }
  VARVE_TRY(parse_parameters(location, query.value_or("")));
  return location;
}

}  // namespace

Result<RemoteLocation> parse_remote_url(std::string_view url) {
  constexpr std::string_view kFile = "file://";
  constexpr std::string_view kS3 = "s3://";
  if (url.starts_with(kFile)) return parse_file(url.substr(kFile.size()));
  if (url.starts_with(kS3)) return parse_s3(url.substr(kS3.size()));
  return invalid("a remote storage is file:///absolute/path or s3://bucket/prefix, not '{}'",
                 url.substr(0, url.find("://")));
}

std::string to_url(const RemoteLocation& location) {
  if (const auto* file = std::get_if<FileLocation>(&location)) {
    return "file://" + percent_encode(file->root.string(), "/");
  }
  const auto& s3 = std::get<S3Location>(location);
  std::string url = "s3://" + s3.bucket;
  if (!s3.prefix.empty()) url += "/" + percent_encode(s3.prefix, "/");
  char separator = '?';
  const auto add = [&](std::string_view name, std::string_view value) {
    url += fmt::format("{}{}={}", std::exchange(separator, '&'), name, value);
  };
  if (!s3.region.empty()) add("region", s3.region);
  if (!s3.endpoint.empty()) add("endpoint", percent_encode(s3.endpoint, "/:"));
  if (s3.path_style) add("path_style", "true");
  return url;
}

Result<std::unique_ptr<RemoteStorage>> open_remote_storage(std::string_view url,
                                                           const OpenRemoteOptions& options) {
  VARVE_ASSIGN(const RemoteLocation location, parse_remote_url(url));
  const auto* file = std::get_if<FileLocation>(&location);
  if (file == nullptr) {
    return s3::open_s3(std::get<S3Location>(location), s3::process_environment(), *options.clock);
  }
  VARVE_ASSIGN(auto storage,
               LocalFs::open(file->root, {.access = options.access, .clock = options.clock}));
  return std::unique_ptr<RemoteStorage>(std::move(storage));
}

}  // namespace varve
