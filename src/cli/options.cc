#include "cli/options.h"

#include <algorithm>

#include "server/setting_fields.h"

namespace varve {
namespace {

constexpr std::array<std::string_view, 6> kCommonSettings{
    "remote", "log_level", "compression_level", "pg_user", "pg_bindir", "redo_processes"};

bool is_common(std::string_view key) {
  return std::ranges::find(kCommonSettings, key) != kCommonSettings.end();
}

std::string flag_of(std::string_view key) {
  std::string flag = "--" + std::string(key);
  std::ranges::replace(flag, '_', '-');
  return flag;
}

std::string variable_of(std::string_view key) {
  std::string variable = "VARVE_" + std::string(key);
  std::ranges::transform(variable, variable.begin(),
                         [](unsigned char c) { return std::toupper(c); });
  return variable;
}

std::string absolute_path(const std::string& path) {
  return path.empty() ? path : std::filesystem::absolute(path).string();
}

template <typename T>
void add_setting(const Command& command, const SettingField<T>& field) {
  const std::string value = fmt::format("{}", Settings().*field.value);
  CLI::Option* const option = command.app->add_option(
      flag_of(field.key), command.common->overrides.*field.override_value,
      fmt::format("{} (default: {})", field.description, value.empty() ? "none" : value));
  option->envname(variable_of(field.key));
  if (field.is_path) option->transform(absolute_path);
}

}  // namespace

Command Command::group(const std::string& name, const std::string& description) const {
  CLI::App* added = app->add_subcommand(name, description);
  added->require_subcommand(1);
  return {added, common, chosen};
}

Command Command::leaf(const std::string& name, const std::string& description) const {
  return {app->add_subcommand(name, description), common, chosen};
}

void Command::run(Action action) const {
  app->callback([action = std::move(action), chosen = chosen] { *chosen = action; });
}

const Command& Command::with_work_directory() const {
  app->add_option("--workdir", common->work_directory, "The work directory, made by 'varve init'")
      ->envname("VARVE_WORKDIR")
      ->required();
  for_each_setting([&](const auto& field) {
    if (is_common(field.key)) add_setting(*this, field);
  });
  return *this;
}

const Command& Command::with_remote() const {
  app->add_option("--remote", common->remote,
                  "The remote storage: file:///absolute/path or s3://bucket/prefix")
      ->envname("VARVE_REMOTE")
      ->required();
  return with_settings({"log_level"});
}

const Command& Command::with_settings(std::initializer_list<std::string_view> keys) const {
  for_each_setting([&](const auto& field) {
    if (std::ranges::find(keys, field.key) != keys.end()) add_setting(*this, field);
  });
  return *this;
}

const Command& Command::with_serve_settings() const {
  for_each_setting([&](const auto& field) {
    if (!is_common(field.key)) add_setting(*this, field);
  });
  return *this;
}

const Command& Command::with_json() const {
  app->add_flag("--json", common->json, "Print the result as one JSON document");
  return *this;
}

void PointOptions::add_to(const Command& command, const std::string& what) {
  CLI::Option* const lsn_option =
      command.app->add_option("--lsn", lsn, what + " (default: the last LSN)")->check(check_lsn);
  command.app->add_option("--time", time, "The same, as of a time: 2026-11-21T20:15:00Z")
      ->check([](const std::string& text) {
        const auto parsed = Timestamp::parse(text);
        return parsed.ok() ? std::string() : parsed.error().message();
      })
      ->excludes(lsn_option);
}

Result<TimelinePoint> PointOptions::point() const {
  TimelinePoint point;
  if (!lsn.empty()) {
    VARVE_ASSIGN(point, Lsn::parse(lsn));
  }
  if (!time.empty()) {
    VARVE_ASSIGN(point, Timestamp::parse(time));
  }
  return point;
}

std::string check_lsn(const std::string& text) {
  const auto parsed = Lsn::parse(text);
  return parsed.ok() ? std::string() : parsed.error().message();
}

}  // namespace varve
