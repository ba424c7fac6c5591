#include "server/settings.h"

#include <set>

#include "base/bytes.h"
#include "remote_storage/url.h"
#include "server/listen_address.h"
#include "server/toml_library.h"

namespace varve {
namespace {

constexpr int kMaximumStopTimeout = 3600;

template <typename T>
Result<> read_value(const toml::table& table, std::string_view key, const std::string& source,
                    T& out) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return {};
  const auto value = node->value_exact<T>();
  if (!value) {
    return make_error(ErrorCode::kInvalidArgument, "{}: the value of '{}' has the wrong type",
                      source, key);
  }
  out = *value;
  return {};
}

// A TOML basic string; https://toml.io/en/v1.0.0#string.
std::string toml_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\u{:04x}", byte);
      continue;
    }
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

}  // namespace

void SettingOverrides::apply(Settings& settings) const {
  settings.remote = remote.value_or(settings.remote);
  settings.log_level = log_level.value_or(settings.log_level);
  settings.compression_level = compression_level.value_or(settings.compression_level);
  settings.pg_user = pg_user.value_or(settings.pg_user);
  settings.listen = listen.value_or(settings.listen);
  settings.token_file = token_file.value_or(settings.token_file);
  settings.stop_timeout = stop_timeout.value_or(settings.stop_timeout);
}

Result<Settings> parse_settings(std::string_view text, const std::string& source) {
  static const std::set<std::string_view> kKeys{"remote",      "log_level", "compression_level",
                                                "pg_user",     "listen",    "token_file",
                                                "stop_timeout"};
  toml::table table;
  try {
    table = toml::parse(text, source);
  } catch (const toml::parse_error& error) {
    return make_error(ErrorCode::kInvalidArgument, "{}, line {}: {}", source,
                      error.source().begin.line, error.description());
  }
  for (const auto& [key, value] : table) {
    if (!kKeys.contains(key.str())) {
      return make_error(ErrorCode::kInvalidArgument, "{}, line {}: there is no setting '{}'",
                        source, value.source().begin.line, key.str());
    }
  }
  Settings settings;
  int64_t compression_level = settings.compression_level;
  int64_t stop_timeout = settings.stop_timeout;
  VARVE_TRY(read_value(table, "remote", source, settings.remote));
  VARVE_TRY(read_value(table, "log_level", source, settings.log_level));
  VARVE_TRY(read_value(table, "compression_level", source, compression_level));
  VARVE_TRY(read_value(table, "pg_user", source, settings.pg_user));
  VARVE_TRY(read_value(table, "listen", source, settings.listen));
  VARVE_TRY(read_value(table, "token_file", source, settings.token_file));
  VARVE_TRY(read_value(table, "stop_timeout", source, stop_timeout));
  settings.compression_level = static_cast<int>(std::clamp<int64_t>(compression_level, -1, 1000));
  settings.stop_timeout = static_cast<int>(std::clamp<int64_t>(stop_timeout, -1, 1'000'000));
  VARVE_TRY(check_settings(settings).context(source));
  return settings;
}

std::vector<std::string> differing_keys(const Settings& a, const Settings& b) {
  std::vector<std::string> keys;
  const auto compare = [&](auto Settings::* member, const char* key) {
    if (a.*member != b.*member) keys.emplace_back(key);
  };
  compare(&Settings::remote, "remote");
  compare(&Settings::log_level, "log_level");
  compare(&Settings::compression_level, "compression_level");
  compare(&Settings::pg_user, "pg_user");
  compare(&Settings::listen, "listen");
  compare(&Settings::token_file, "token_file");
  compare(&Settings::stop_timeout, "stop_timeout");
  return keys;
}

Result<> check_settings(const Settings& settings) {
  if (settings.compression_level < 1 || settings.compression_level > 19) {
    return make_error(ErrorCode::kInvalidArgument, "compression_level must be from 1 to 19");
  }
  if (settings.stop_timeout < 0 || settings.stop_timeout > kMaximumStopTimeout) {
    return make_error(ErrorCode::kInvalidArgument, "stop_timeout must be from 0 to {} seconds",
                      kMaximumStopTimeout);
  }
  VARVE_TRY(ListenAddress::parse(settings.listen).context("listen"));
  if (!settings.token_file.empty() && !std::filesystem::path(settings.token_file).is_absolute()) {
    return make_error(ErrorCode::kInvalidArgument, "token_file must be an absolute path, not '{}'",
                      settings.token_file);
  }
  if (!settings.remote.empty()) VARVE_TRY(parse_remote_url(settings.remote));
  return {};
}

std::string format_settings(const Settings& settings) {
  const Settings defaults;
  const auto line = [](bool is_default, std::string_view key, const std::string& value) {
    return fmt::format("{}{} = {}\n", is_default ? "# " : "", key, value);
  };
  std::string text =
      "# Settings of this varve work directory. Each has a flag and an environment variable of "
      "the\n"
      "# same name (log_level: --log-level, VARVE_LOG_LEVEL), which go before this file.\n\n"
      "# Where everything is backed up to: file:///absolute/path, a directory that must exist, or\n"
      "# s3://bucket/prefix?region=REGION&endpoint=URL, a bucket that must exist. Without it "
      "nothing\n"
      "# is remote. Credentials never stand in a URL.\n";
  text += line(settings.remote.empty(), "remote",
               toml_string(settings.remote.empty() ? "file:///path" : settings.remote));
  text += "\n# trace, debug, info, warning, error or off.\n";
  text +=
      line(settings.log_level == defaults.log_level, "log_level", toml_string(settings.log_level));
  text += "\n# Of zstd, 1 (fast) to 19 (small).\n";
  text += line(settings.compression_level == defaults.compression_level, "compression_level",
               std::to_string(settings.compression_level));
  text +=
      "\n# Who owns restored data directories when varve runs as root, which PostgreSQL refuses "
      "to.\n";
  text += line(settings.pg_user == defaults.pg_user, "pg_user", toml_string(settings.pg_user));
  text += "\n# Where 'varve serve' listens. Anything but a loopback address needs a token_file.\n";
  text += line(settings.listen == defaults.listen, "listen", toml_string(settings.listen));
  text +=
      "\n# A file with the bearer token that the HTTP API asks for, readable by its owner alone.\n";
  text += line(settings.token_file.empty(), "token_file",
               toml_string(settings.token_file.empty() ? "/absolute/path" : settings.token_file));
  text += "\n# How many seconds what runs may still take when 'varve serve' is stopped.\n";
  text += line(settings.stop_timeout == defaults.stop_timeout, "stop_timeout",
               std::to_string(settings.stop_timeout));
  return text;
}

}  // namespace varve
