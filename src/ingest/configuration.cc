#include "ingest/configuration.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace varve {
namespace {

constexpr std::string_view kHarmlessSettings = R"(
# Written by varve restore: this copy must not act on its source's archive, standbys or publishers.
archive_mode = 'off'
archive_command = ''
archive_library = ''
synchronous_standby_names = ''
primary_conninfo = ''
primary_slot_name = ''
restore_command = ''
archive_cleanup_command = ''
recovery_end_command = ''
recovery_target = ''
recovery_target_lsn = ''
recovery_target_name = ''
recovery_target_time = ''
recovery_target_xid = ''
max_logical_replication_workers = '0'
)";

constexpr std::string_view kSourcePathParameters[] = {"data_directory", "external_pid_file",
                                                      "hba_file", "ident_file"};

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '$';
}

// The parameter that a line sets, in lower case as the server compares names; empty for none.
std::string parameter_of(std::string_view line) {
  const size_t start = line.find_first_not_of(" \t\r\f\v");
  if (start == line.npos) return {};
  std::string parameter;
  for (const char c : line.substr(start)) {
    if (!is_name_character(c)) break;
    parameter += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return parameter;
}

bool names_source_path(std::string_view line, SourcePaths which) {
  const std::string parameter = parameter_of(line);
  if (which == SourcePaths::kDataDirectory) return parameter == "data_directory";
  return std::ranges::find(kSourcePathParameters, parameter) != std::end(kSourcePathParameters);
}

}  // namespace

bool is_settings_file(std::string_view path) {
  return path.ends_with(".conf") && path != "pg_hba.conf" && path != "pg_ident.conf";
}

std::string without_source_paths(std::string_view text, SourcePaths which) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view line = text.substr(0, end);
    if (names_source_path(line, which)) result += "# of the source: ";
    result += line;
    text.remove_prefix(end);
  }
  return result;
}

std::string with_harmless_settings(std::string_view text) {
  std::string result(text);
  if (result.ends_with(kHarmlessSettings)) return result;
  if (!result.empty() && result.back() != '\n') result += '\n';
  result += kHarmlessSettings;
  return result;
}

std::string default_settings(const ServerSettings& settings) {
  return fmt::format(
      R"(# Written by varve restore: the source's own configuration was not in its data directory.
# These settings must not fall below those of the source for prepared transactions to survive.
max_connections = {}
max_worker_processes = {}
max_wal_senders = {}
max_prepared_transactions = {}
max_locks_per_transaction = {}
track_commit_timestamp = {}
wal_level = {}
wal_log_hints = {}
)",
      settings.max_connections, settings.max_worker_processes,
      settings.wal_level == WalLevel::kMinimal ? 0 : settings.max_wal_senders,
      settings.max_prepared_transactions, settings.max_locks_per_transaction,
      settings.track_commit_timestamp ? "on" : "off", name(settings.wal_level),
      settings.wal_log_hints ? "on" : "off");
}

std::string_view default_client_authentication() {
  return R"(# Written by varve restore: the source's own file was not in its data directory.
# TYPE  DATABASE  USER  ADDRESS       METHOD
local   all       all                 peer
host    all       all   127.0.0.1/32  scram-sha-256
host    all       all   ::1/128       scram-sha-256
)";
}

}  // namespace varve
