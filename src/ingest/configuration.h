// The configuration files of a restored cluster: made harmless, or made up where the source kept
// its own elsewhere.
#pragma once

#include <string>
#include <string_view>

#include "postgres/control_file.h"

namespace varve {

// Which auxiliary files hold settings: postgresql.conf, postgresql.auto.conf, and what they may
// include (other names that end in ".conf", but pg_hba.conf and pg_ident.conf).
bool is_settings_file(std::string_view path);

enum class SourcePaths : uint8_t {
  // data_directory, hba_file, ident_file, external_pid_file: a server started with them would use,
  // or
  // overwrite, the source's files.
  kAll,
  // data_directory alone: with it the restored directory could not be started at all.
  kDataDirectory,
};

// The text of a settings file with the lines that set these parameters commented out.
std::string without_source_paths(std::string_view text, SourcePaths which);

// postgresql.auto.conf with lines appended that switch off what would act on others: archiving,
// synchronous standbys, replication from a primary, subscriptions, recovery commands and targets.
// The last of several lines for a parameter counts. Text that already ends in those lines stays.
std::string with_harmless_settings(std::string_view text);

// A postgresql.conf for a cluster whose own lies outside of its data directory. What must match the
// cluster (prepared transactions, commit timestamps, WAL level) comes from its control file.
std::string default_settings(const ServerSettings& settings);

// pg_hba.conf that lets users of the machine in under their own name, others on loopback by
// password.
std::string_view default_client_authentication();

}  // namespace varve
