#include "server/settings.h"

#include <utility>

#include "base/bytes.h"
#include "remote_storage/url.h"
#include "server/listen_address.h"
#include "server/setting_fields.h"
#include "server/toml_library.h"

namespace varve {
namespace {

constexpr int kMaximumStopTimeout = 3600;
constexpr int kMaximumRedoProcesses = 64;

Error wrong_type(const std::string& source, std::string_view key) {
  return make_error(ErrorCode::kInvalidArgument, "{}: the value of '{}' has the wrong type", source,
                    key);
}

Result<> read_value(const toml::node& node, const std::string& source, std::string_view key,
                    std::string& out) {
  const auto value = node.value_exact<std::string>();
  if (!value) return wrong_type(source, key);
  out = *value;
  return {};
}

Result<> read_value(const toml::node& node, const std::string& source, std::string_view key,
                    int& out) {
  const auto value = node.value_exact<int64_t>();
  if (!value) return wrong_type(source, key);
  if (!std::in_range<int>(*value)) {
    return make_error(ErrorCode::kInvalidArgument, "{}: {} is out of range for '{}'", source,
                      *value, key);
  }
  out = static_cast<int>(*value);
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

std::string toml_value(const std::string& value) {
  return toml_string(value);
}
std::string toml_value(int value) {
  return std::to_string(value);
}

// Lines of at most a hundred characters.
std::string comment(std::string_view text) {
  constexpr size_t kWidth = 98;
  std::string result;
  while (!text.empty()) {
    size_t end = text.size();
    if (end > kWidth) end = text.rfind(' ', kWidth);
    result += fmt::format("# {}{}\n", text.substr(0, end), end == text.size() ? "." : "");
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

Result<> check_path(std::string_view key, const std::string& path) {
  if (path.empty() || std::filesystem::path(path).is_absolute()) return {};
  return make_error(ErrorCode::kInvalidArgument, "{} must be an absolute path, not '{}'", key,
                    path);
}
Result<> check_path(std::string_view, int) {
  return {};
}

}  // namespace

void SettingOverrides::apply(Settings& settings) const {
  for_each_setting([&](const auto& field) {
    const auto& override_value = this->*field.override_value;
    if (override_value) settings.*field.value = *override_value;
  });
}

Result<Settings> parse_settings(std::string_view text, const std::string& source) {
  toml::table table;
  try {
    table = toml::parse(text, source);
  } catch (const toml::parse_error& error) {
    return make_error(ErrorCode::kInvalidArgument, "{}, line {}: {}", source,
                      error.source().begin.line, error.description());
  }
  for (const auto& [key, value] : table) {
    bool is_known = false;
    for_each_setting([&](const auto& field) { is_known |= field.key == key.str(); });
    if (!is_known) {
      return make_error(ErrorCode::kInvalidArgument, "{}, line {}: there is no setting '{}'",
                        source, value.source().begin.line, key.str());
    }
  }
  Settings settings;
  Result<> read;
  for_each_setting([&](const auto& field) {
    const toml::node* const node = table.get(field.key);
    if (node != nullptr && read.ok()) {
      read = read_value(*node, source, field.key, settings.*field.value);
    }
  });
  VARVE_TRY(read);
  VARVE_TRY(check_settings(settings).context(source));
  return settings;
}

std::vector<std::string> differing_keys(const Settings& a, const Settings& b) {
  std::vector<std::string> keys;
  for_each_setting([&](const auto& field) {
    if (a.*field.value != b.*field.value) keys.emplace_back(field.key);
  });
  return keys;
}

Result<> check_settings(const Settings& settings) {
  if (settings.compression_level < 1 || settings.compression_level > 19) {
    return make_error(ErrorCode::kInvalidArgument, "compression_level must be from 1 to 19");
  }
  if (settings.confirm != "remote" && settings.confirm != "local") {
    return make_error(ErrorCode::kInvalidArgument, "confirm must be remote or local, not '{}'",
                      settings.confirm);
  }
  if (settings.redo_processes < 1 || settings.redo_processes > kMaximumRedoProcesses) {
    return make_error(ErrorCode::kInvalidArgument, "redo_processes must be from 1 to {}",
                      kMaximumRedoProcesses);
  }
  if (settings.stop_timeout < 0 || settings.stop_timeout > kMaximumStopTimeout) {
    return make_error(ErrorCode::kInvalidArgument, "stop_timeout must be from 0 to {} seconds",
                      kMaximumStopTimeout);
  }
  constexpr int kSmallestMemory = 8;
  if (settings.rpo < 1 || settings.memory_limit_mib < kSmallestMemory ||
      settings.upload_lag_mib < 1) {
    return make_error(ErrorCode::kInvalidArgument,
                      "rpo and upload_lag_mib must be at least 1, memory_limit_mib at least {}",
                      kSmallestMemory);
  }
  if (settings.gc_interval < 0 || settings.disk_low_mib < 0 ||
      settings.disk_high_mib < settings.disk_low_mib) {
    return make_error(ErrorCode::kInvalidArgument,
                      "gc_interval and disk_low_mib must not be negative, nor disk_high_mib below "
                      "disk_low_mib");
  }
  if (settings.retention_hours < 0 || settings.retention_mib < 0) {
    return make_error(ErrorCode::kInvalidArgument,
                      "retention_hours and retention_mib must not be negative");
  }
  VARVE_TRY(ListenAddress::parse(settings.listen).context("listen"));
  Result<> paths;
  for_each_setting([&](const auto& field) {
    if (field.is_path) paths = paths.ok() ? check_path(field.key, settings.*field.value) : paths;
  });
  VARVE_TRY(paths);
  if (settings.tls_certificate.empty() != settings.tls_key.empty()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "tls_certificate and tls_key are of use only together");
  }
  if (!settings.remote.empty()) VARVE_TRY(parse_remote_url(settings.remote));
  return {};
}

std::string format_settings(const Settings& settings) {
  const Settings defaults;
  std::string text =
      "# Settings of this varve work directory. Each has a flag and an environment variable of "
      "the\n"
      "# same name (log_level: --log-level, VARVE_LOG_LEVEL), which go before this file.\n";
  for_each_setting([&](const auto& field) {
    const auto& value = settings.*field.value;
    const bool is_default = value == defaults.*field.value;
    const std::string shown =
        is_default && !field.example.empty() ? toml_string(field.example) : toml_value(value);
    text += fmt::format("\n{}{}{} = {}\n", comment(field.description), is_default ? "# " : "",
                        field.key, shown);
  });
  return text;
}

}  // namespace varve
