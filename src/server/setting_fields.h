// What there is to set, one entry each: whoever parses, writes, compares or documents settings goes
// through these.
#pragma once

#include <string_view>
#include <tuple>

#include "server/settings.h"

namespace varve {

template <typename T>
struct SettingField {
  // In varve.toml. The flag is --key with '-' for '_', the environment variable VARVE_KEY.
  std::string_view key;
  T Settings::* value;
  std::optional<T> SettingOverrides::* override_value;
  // One sentence, without the default.
  std::string_view description;
  // Stands in a new varve.toml where the default is empty.
  std::string_view example = {};
  // A file or directory: a flag may name it relative to the current directory.
  bool is_path = false;
};

inline constexpr std::tuple kSettingFields{
    SettingField<std::string>{
        .key = "remote",
        .value = &Settings::remote,
        .override_value = &SettingOverrides::remote,
        .description =
            "The remote storage, to which everything is backed up: file:///absolute/path, a "
            "directory that must exist, or s3://bucket/prefix?region=REGION&endpoint=URL, a bucket "
            "that must exist. Credentials never stand in a URL",
        .example = "file:///path"},
    SettingField<std::string>{.key = "log_level",
                              .value = &Settings::log_level,
                              .override_value = &SettingOverrides::log_level,
                              .description = "trace, debug, info, warning, error or off"},
    SettingField<int>{.key = "compression_level",
                      .value = &Settings::compression_level,
                      .override_value = &SettingOverrides::compression_level,
                      .description = "Of zstd, 1 (fast) to 19 (small)"},
    SettingField<std::string>{
        .key = "pg_user",
        .value = &Settings::pg_user,
        .override_value = &SettingOverrides::pg_user,
        .description = "Who owns restored data directories, and what PostgreSQL's programs run "
                       "as, when varve runs as root, which PostgreSQL refuses to"},
    SettingField<std::string>{
        .key = "pg_bindir",
        .value = &Settings::pg_bindir,
        .override_value = &SettingOverrides::pg_bindir,
        .description = "Where the programs of PostgreSQL 15 are, which make pages from WAL records",
        .is_path = true},
    SettingField<int>{.key = "redo_processes",
                      .value = &Settings::redo_processes,
                      .override_value = &SettingOverrides::redo_processes,
                      .description = "How many processes of PostgreSQL make pages from WAL records "
                                     "at the same time, at most; 1 to 64"},
    SettingField<std::string>{
        .key = "listen",
        .value = &Settings::listen,
        .override_value = &SettingOverrides::listen,
        .description = "Where the server listens: an IP address or localhost, and a port, 0 for a "
                       "free one. Anything but a loopback address needs a token_file"},
    SettingField<std::string>{
        .key = "token_file",
        .value = &Settings::token_file,
        .override_value = &SettingOverrides::token_file,
        .description = "A file with the bearer token that requests to the server must have, "
                       "readable by its owner alone",
        .example = "/absolute/path",
        .is_path = true},
    SettingField<std::string>{
        .key = "tls_certificate",
        .value = &Settings::tls_certificate,
        .override_value = &SettingOverrides::tls_certificate,
        .description = "A PEM file with the certificate of the server, and those that it rests "
                       "on: with it and tls_key the server speaks HTTPS only",
        .example = "/absolute/path",
        .is_path = true},
    SettingField<std::string>{.key = "tls_key",
                              .value = &Settings::tls_key,
                              .override_value = &SettingOverrides::tls_key,
                              .description = "A PEM file with the key of the certificate",
                              .example = "/absolute/path",
                              .is_path = true},
    SettingField<int>{.key = "rpo",
                      .value = &Settings::rpo,
                      .override_value = &SettingOverrides::rpo,
                      .description =
                          "After how many seconds what arrived is brought into the remote "
                          "storage"},
    SettingField<std::string>{
        .key = "confirm",
        .value = &Settings::confirm,
        .override_value = &SettingOverrides::confirm,
        .description = "What WAL a followed primary may forget: remote, what is in the remote "
                       "storage, or local, what is in files of the work directory"},
    SettingField<int>{.key = "memory_limit_mib",
                      .value = &Settings::memory_limit_mib,
                      .override_value = &SettingOverrides::memory_limit_mib,
                      .description =
                          "How many MiB of what arrived for a timeline are kept in memory "
                          "at most, until they are in files"},
    SettingField<int>{.key = "upload_lag_mib",
                      .value = &Settings::upload_lag_mib,
                      .override_value = &SettingOverrides::upload_lag_mib,
                      .description = "How many MiB of a timeline may wait for their upload before "
                                     "nothing more is taken"},
    SettingField<int>{.key = "retention_hours",
                      .value = &Settings::retention_hours,
                      .override_value = &SettingOverrides::retention_hours,
                      .description =
                          "How many hours back a timeline can be read at any LSN. What is "
                          "older goes, see gc_interval"},
    SettingField<int>{.key = "retention_mib",
                      .value = &Settings::retention_mib,
                      .override_value = &SettingOverrides::retention_mib,
                      .description = "And at least how many MiB of WAL back"},
    SettingField<int>{.key = "gc_interval",
                      .value = &Settings::gc_interval,
                      .override_value = &SettingOverrides::gc_interval,
                      .description = "After how many minutes each the server gives up what is not "
                                     "kept, 0 for never"},
    SettingField<int>{.key = "disk_high_mib",
                      .value = &Settings::disk_high_mib,
                      .override_value = &SettingOverrides::disk_high_mib,
                      .description = "How many MiB the local copies of layers may take before the "
                                     "server frees those that were not used for the longest time, "
                                     "0 for any number. What is not remote yet always stays"},
    SettingField<int>{.key = "disk_low_mib",
                      .value = &Settings::disk_low_mib,
                      .override_value = &SettingOverrides::disk_low_mib,
                      .description = "How many MiB are left then, 0 for four fifths of "
                                     "disk_high_mib"},
    SettingField<int>{.key = "stop_timeout",
                      .value = &Settings::stop_timeout,
                      .override_value = &SettingOverrides::stop_timeout,
                      .description = "How many seconds what runs may still take when the server is "
                                     "stopped"},
};

// Calls `action` with each field, in order.
template <typename Action>
constexpr void for_each_setting(Action&& action) {
  std::apply([&](const auto&... field) { (action(field), ...); }, kSettingFields);
}

}  // namespace varve
