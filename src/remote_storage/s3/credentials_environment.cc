#include "remote_storage/s3/credentials_environment.h"

namespace varve::s3 {

Result<FetchedCredentials> EnvironmentCredentials::fetch(const CallOptions& /*options*/) {
  const auto access_key_id = value_of(environment_, "AWS_ACCESS_KEY_ID");
  const auto secret_access_key = value_of(environment_, "AWS_SECRET_ACCESS_KEY");
  if (!access_key_id && !secret_access_key) {
    return FetchedCredentials::none("AWS_ACCESS_KEY_ID is not set");
  }
  VARVE_ASSIGN(Credentials credentials,
               checked({.access_key_id = access_key_id.value_or(""),
                        .secret_access_key = secret_access_key.value_or(""),
                        .session_token = value_of(environment_, "AWS_SESSION_TOKEN").value_or("")},
                       {.access_key_id = "AWS_ACCESS_KEY_ID",
                        .secret_access_key = "AWS_SECRET_ACCESS_KEY",
                        .session_token = "AWS_SESSION_TOKEN"})
                   .context("credentials in the environment"));
  return FetchedCredentials{.credentials = std::move(credentials), .source = "the environment"};
}

}  // namespace varve::s3
