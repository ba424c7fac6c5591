// The settings of a work directory: varve.toml, environment variables and flags, in ascending
// precedence.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace varve {

inline constexpr char kSettingsFileName[] = "varve.toml";

// Every member has a key in varve.toml, a flag and an environment variable of the same name:
// `log_level`, --log-level, VARVE_LOG_LEVEL. See setting_fields.h.
struct Settings {
  // URL of the remote storage; empty: none.
  std::string remote;
  std::string log_level = "info";
  // Of zstd, 1 to 19.
  int compression_level = 3;
  // Who owns restored data directories, and what PostgreSQL's programs run as, when this runs as
  // root.
  std::string pg_user = "postgres";
  // Where the programs of PostgreSQL 15 are.
  std::string pg_bindir = "/usr/lib/postgresql/15/bin";
  // Of PostgreSQL, that make pages from WAL records: at most so many at once.
  int redo_processes = 2;
  // Where `varve serve` listens: an IP address or localhost, and a port; 0 picks a free one.
  std::string listen = "127.0.0.1:9898";
  // File with the bearer token of the HTTP API; empty: none is asked for.
  std::string token_file;
  // Files of the server's certificate and its key, PEM; empty: it speaks plain HTTP.
  std::string tls_certificate;
  std::string tls_key;
  // What was ingested is remote after so many seconds.
  int rpo = 10;
  // What a primary need not keep any longer: what is "remote", or what is in files here, "local".
  std::string confirm = "remote";
  // Of a timeline, MiB: what may be in memory, and what may be in files that are not remote yet.
  // The feed waits where there is more.
  int memory_limit_mib = 768;
  int upload_lag_mib = 4096;
  // What stays readable of a timeline: everything of the last hours, and of the last MiB of WAL.
  int retention_hours = 7 * 24;
  int retention_mib = 1024;
  // How often that which is not kept is given up by itself, minutes; 0: only when asked for.
  int gc_interval = 60;
  // MiB of local copies of layers from which on some are freed, and how far; 0: never, and to four
  // fifths.
  int disk_high_mib = 0;
  int disk_low_mib = 0;
  // How long what runs may still take when `varve serve` is stopped, seconds.
  int stop_timeout = 10;

  bool operator==(const Settings&) const = default;
};

// What flags and environment say; none = nothing.
struct SettingOverrides {
  std::optional<std::string> remote;
  std::optional<std::string> log_level;
  std::optional<int> compression_level;
  std::optional<std::string> pg_user;
  std::optional<std::string> pg_bindir;
  std::optional<int> redo_processes;
  std::optional<std::string> listen;
  std::optional<std::string> token_file;
  std::optional<std::string> tls_certificate;
  std::optional<std::string> tls_key;
  std::optional<int> rpo;
  std::optional<std::string> confirm;
  std::optional<int> memory_limit_mib;
  std::optional<int> upload_lag_mib;
  std::optional<int> retention_hours;
  std::optional<int> retention_mib;
  std::optional<int> gc_interval;
  std::optional<int> disk_high_mib;
  std::optional<int> disk_low_mib;
  std::optional<int> stop_timeout;

  void apply(Settings& settings) const;
};

// InvalidArgument, naming key and file, for a value that is none, an unknown key or broken TOML.
Result<Settings> parse_settings(std::string_view toml, const std::string& source);

// The content of a new varve.toml: every key with a comment; those that have their default
// commented out.
std::string format_settings(const Settings& settings);

// The keys whose values differ.
std::vector<std::string> differing_keys(const Settings& a, const Settings& b);

// InvalidArgument when a value is out of range.
Result<> check_settings(const Settings& settings);

}  // namespace varve
