#include "remote_storage/s3/aws_settings.h"

#include <algorithm>
#include <vector>

#include "remote_storage/s3/profile.h"
#include "remote_storage/s3/uri.h"

namespace varve::s3 {
namespace {

// A value and what has it, for messages.
struct Setting {
  std::string value = {};
  std::string origin = {};
};

// The first variable, or else the first property, that is set.
Setting first_set(const EnvironmentVariables& environment,
                  const std::vector<std::string>& variables, const Profile& profile,
                  const std::vector<std::string>& properties) {
  for (const std::string& variable : variables) {
    if (auto value = value_of(environment, variable)) return {std::move(*value), variable};
  }
  for (const std::string& property : properties) {
    if (auto value = profile.value(property)) {
      return {std::move(*value), fmt::format("{} in {}", property, profile.to_string())};
    }
  }
  return {};
}

// A region becomes part of host names.
Result<std::string> checked_region(const Setting& setting) {
  const bool plain =
      setting.value.size() <= 63 && std::ranges::all_of(setting.value, [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-';
      });
  if (plain) return setting.value;
  return make_error(ErrorCode::kInvalidArgument, "{} must be the name of a region such as {}",
                    setting.origin, "eu-central-1");
}

Result<std::string> checked_endpoint(const Setting& setting) {
  if (setting.value.empty()) return std::string();
  const auto url = split_url(setting.value);
  VARVE_TRY(Result<UrlParts>(url).context(setting.origin));
  if (url->query.empty()) return setting.value;
  return make_error(ErrorCode::kInvalidArgument, "{} must be a URL without a '?'", setting.origin);
}

}  // namespace

Result<AwsSettings> aws_settings(const EnvironmentVariables& environment,
                                 const std::optional<std::string>& profile_name) {
  VARVE_ASSIGN(const Profile profile, load_profile(environment, profile_name));
  AwsSettings settings;
  VARVE_ASSIGN(settings.region,
               checked_region(first_set(environment, {"AWS_REGION", "AWS_DEFAULT_REGION"}, profile,
                                        {"region"})));
  const Setting ignored = first_set(environment, {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}, profile,
                                    {"ignore_configured_endpoint_urls"});
  if (ignored.value == "true") return settings;
  VARVE_ASSIGN(settings.endpoint,
               checked_endpoint(first_set(environment, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"},
                                          profile, {"services.s3.endpoint_url", "endpoint_url"})));
  VARVE_ASSIGN(settings.sts_endpoint,
               checked_endpoint(first_set(environment, {"AWS_ENDPOINT_URL_STS"}, profile,
                                          {"services.sts.endpoint_url"})));
  return settings;
}

}  // namespace varve::s3
