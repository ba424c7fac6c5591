// The settings of a work directory: varve.toml, environment variables and flags, in ascending
// precedence.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"

namespace varve {

inline constexpr char kSettingsFileName[] = "varve.toml";

// Every member has a key in varve.toml, a flag and an environment variable of the same name:
// `log_level`,
// --log-level, VARVE_LOG_LEVEL.
struct Settings {
  // URL of the remote storage; empty: none.
  std::string remote;
  std::string log_level = "info";
  // Of zstd, 1 to 19.
  int compression_level = 3;
  // Who owns restored data directories when this runs as root.
  std::string pg_user = "postgres";

  bool operator==(const Settings&) const = default;
};

// What flags and environment say; none = nothing.
struct SettingOverrides {
  std::optional<std::string> remote;
  std::optional<std::string> log_level;
  std::optional<int> compression_level;
  std::optional<std::string> pg_user;

  void apply(Settings& settings) const;
};

// InvalidArgument, naming key and file, for a value that is none, an unknown key or broken TOML.
Result<Settings> parse_settings(std::string_view toml, const std::string& source);

// The content of a new varve.toml: every key with a comment; those that have their default
// commented out.
std::string format_settings(const Settings& settings);

// InvalidArgument when a value is out of range.
Result<> check_settings(const Settings& settings);

}  // namespace varve
