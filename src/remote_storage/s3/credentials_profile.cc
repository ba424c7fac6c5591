#include "remote_storage/s3/credentials_profile.h"

#include "remote_storage/s3/credentials_web_identity.h"
#include "remote_storage/s3/profile.h"

namespace varve::s3 {
namespace {

Error unsupported(const Profile& profile, std::string_view property) {
  return make_error(ErrorCode::kInvalidArgument,
                    "{} has {}, which is not supported: give it aws_access_key_id and "
                    "aws_secret_access_key, or web_identity_token_file and role_arn, or put the "
                    "keys into the environment",
                    profile.to_string(), property);
}

// Of these the keys in the same profile would be another identity than the one that is meant.
Result<> check_no_other_role(const Profile& profile) {
  for (const std::string_view property : {"source_profile", "credential_source"}) {
    if (profile.value("role_arn") && profile.value(property)) return unsupported(profile, property);
  }
  return {};
}

// Other ways to get keys, which count only where there are none.
Result<> check_no_other_keys(const Profile& profile) {
  for (const std::string_view property :
       {"credential_process", "sso_session", "sso_start_url", "login_session", "role_arn"}) {
    if (profile.value(property)) return unsupported(profile, property);
  }
  return {};
}

Result<Credentials> keys_of(const Profile& profile) {
  return checked({.access_key_id = profile.value("aws_access_key_id").value_or(""),
                  .secret_access_key = profile.value("aws_secret_access_key").value_or(""),
                  .session_token = profile.value("aws_session_token").value_or("")},
                 {.access_key_id = "aws_access_key_id",
                  .secret_access_key = "aws_secret_access_key",
                  .session_token = "aws_session_token"})
      .context(profile.to_string());
}

}  // namespace

Result<FetchedCredentials> ProfileCredentials::fetch(const CallOptions& options) {
  VARVE_ASSIGN(const Profile profile, load_profile(options_.environment, options_.profile));
  if (!profile.found) {
    return FetchedCredentials::none(fmt::format("there is no {}", profile.to_string()));
  }
  VARVE_TRY(check_no_other_role(profile));
  FetchedCredentials fetched{.source = profile.to_string()};
  const auto role_arn = profile.value("role_arn");
  if (const auto token_file = profile.value("web_identity_token_file"); token_file && role_arn) {
    WebIdentity identity{.token_file = *token_file, .role_arn = *role_arn};
    if (auto name = profile.value("role_session_name")) identity.session_name = std::move(*name);
    VARVE_ASSIGN(fetched.credentials, assume_role(identity, options_, options));
    return fetched;
  }
  if (profile.value("aws_access_key_id") || profile.value("aws_secret_access_key")) {
    VARVE_ASSIGN(fetched.credentials, keys_of(profile));
    return fetched;
  }
  VARVE_TRY(check_no_other_keys(profile));
  return FetchedCredentials::none(fmt::format("{} has no aws_access_key_id", profile.to_string()));
}

}  // namespace varve::s3
