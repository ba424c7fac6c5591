#include "remote_storage/s3/profile.h"

#include <array>
#include <filesystem>

#include "remote_storage/s3/text_file.h"

namespace varve::s3 {
namespace {

constexpr std::array kKeyProperties{"aws_access_key_id", "aws_secret_access_key",
                                    "aws_session_token"};

// The file that `variable` names, or else ~/.aws/NAME. None: there is no home directory.
std::optional<std::filesystem::path> shared_file(const EnvironmentVariables& environment,
                                                 const std::string& variable,
                                                 std::string_view name) {
  const std::string path = value_of(environment, variable).value_or(fmt::format("~/.aws/{}", name));
  if (!path.starts_with("~/")) return path;
  const auto home = value_of(environment, "HOME");
  if (!home) return std::nullopt;
  return std::filesystem::path(*home) / path.substr(2);
}

Result<IniSections> load_sections(const std::optional<std::filesystem::path>& path) {
  if (!path) return IniSections();
  const auto text = read_text_file(*path);
  if (text.failed_with(ErrorCode::kNotFound)) return IniSections();
  VARVE_TRY(text);
  return parse_ini(*text, path->string());
}

std::string shown(const std::optional<std::filesystem::path>& path, std::string_view name) {
  return path ? path->string() : fmt::format("~/.aws/{} (HOME is not set)", name);
}

// The section of a profile in the config file. [profile default] counts before [default].
const IniSection* section_of(const IniSections& config, const std::string& profile) {
  if (const auto found = config.find("profile " + profile); found != config.end()) {
    return &found->second;
  }
  const auto found = config.find(profile);
  return profile == "default" && found != config.end() ? &found->second : nullptr;
}

bool has_keys(const IniSection& section) {
  for (const char* key : kKeyProperties) {
    if (section.contains(key)) return true;
  }
  return false;
}

void add(Profile& profile, const IniSection& section) {
  if (has_keys(section)) {
    for (const char* key : kKeyProperties) profile.values.erase(key);
  }
  for (const auto& [key, value] : section) profile.values.insert_or_assign(key, value);
  profile.found = true;
}

// The properties of the [services NAME] that the profile refers to, such as "s3.endpoint_url".
void add_services(Profile& profile, const IniSections& config) {
  const auto services = profile.value("services");
  if (!services) return;
  const auto section = config.find("services " + *services);
  if (section == config.end()) return;
  for (const auto& [key, value] : section->second) {
    profile.values.insert_or_assign("services." + key, value);
  }
}

}  // namespace

std::optional<std::string> Profile::value(std::string_view key) const {
  const auto at = values.find(std::string(key));
  if (at == values.end() || at->second.empty()) return std::nullopt;
  return at->second;
}

std::string Profile::to_string() const {
  return fmt::format("profile '{}' of {}", name, files);
}

Result<Profile> load_profile(const EnvironmentVariables& environment,
                             const std::optional<std::string>& name) {
  const auto asked_for = name ? name : value_of(environment, "AWS_PROFILE");
  Profile profile{.name = asked_for.value_or("default")};
  const auto config_file = shared_file(environment, "AWS_CONFIG_FILE", "config");
  const auto credentials_file =
      shared_file(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
  profile.files = fmt::format("{} and {}", shown(config_file, "config"),
                              shown(credentials_file, "credentials"));
  VARVE_ASSIGN(const IniSections config, load_sections(config_file));
  VARVE_ASSIGN(const IniSections credentials, load_sections(credentials_file));

  if (const auto* section = section_of(config, profile.name)) add(profile, *section);
  if (const auto found = credentials.find(profile.name); found != credentials.end()) {
    add(profile, found->second);
  }
  add_services(profile, config);
  if (profile.found || !asked_for) return profile;
  const bool unprefixed = config.contains(profile.name);
  return make_error(
      ErrorCode::kInvalidArgument, "there is no {}{}", profile.to_string(),
      unprefixed ? fmt::format(": in a config file its section is [profile {}]", profile.name)
                 : "");
}

}  // namespace varve::s3
