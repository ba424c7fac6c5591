// The options that commands share, and how flags and environment variables are declared.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "runtime/call_options.h"
#include "server/open_page_service.h"
#include "server/settings.h"
#include "server/timeline_point.h"

namespace varve {

// What every command can use, filled by the parser.
struct CommonOptions {
  std::string work_directory;
  std::string remote;  // Of the commands that need no work directory.
  SettingOverrides overrides;
  bool json = false;
  // Requested by SIGINT and SIGTERM.
  std::stop_token stop;

  CallOptions call() const { return {.stop = stop}; }
  // Of the server that runs, or in this process.
  Result<std::unique_ptr<PageService>> open_service() const {
    return open_page_service(work_directory, overrides, call());
  }
};

// A command does its work and prints its result; an error is printed by main().
using Action = std::function<Result<>()>;

// Collects the action of the subcommand that was chosen.
struct Command {
  CLI::App* app;
  CommonOptions* common;
  Action* chosen;

  // Adds a subcommand without an action, which needs one of its own.
  Command group(const std::string& name, const std::string& description) const;
  // Adds a subcommand.
  Command leaf(const std::string& name, const std::string& description) const;
  void run(Action action) const;

  // --workdir, required, and the settings that go with every work directory.
  const Command& with_work_directory() const;
  // --remote, required, in place of a work directory.
  const Command& with_remote() const;
  // Settings, by their keys.
  const Command& with_settings(std::initializer_list<std::string_view> keys) const;
  // All that with_work_directory() does not add: what only `varve serve` goes by.
  const Command& with_serve_settings() const;
  const Command& with_json() const;
};

// --lsn and --time, of which one may be given.
struct PointOptions {
  std::string lsn;
  std::string time;

  void add_to(const Command& command, const std::string& what);
  Result<TimelinePoint> point() const;
};

// For option values: fails the parse, so that the exit code says usage.
std::string check_lsn(const std::string& text);

}  // namespace varve
