// Credentials of a role for the token of an identity provider, such as that of a Kubernetes service
// account: AssumeRoleWithWebIdentity of AWS's Security Token Service (STS).
#pragma once

#include "remote_storage/s3/credentials_source.h"

namespace varve::s3 {

struct WebIdentity {
  // Read anew for each request, since its provider replaces the token in it.
  std::string token_file;
  std::string role_arn;
  // Shows up in the logs of AWS.
  std::string session_name = "varve";
};

// Asks the STS of the region and endpoint in aws_settings(). The token goes in the body of the
// request, which no log of a proxy has. Errors as of CredentialsSource::fetch().
Result<Credentials> assume_role(const WebIdentity& identity, const CredentialsOptions& credentials,
                                const CallOptions& options);

// AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN and AWS_ROLE_SESSION_NAME.
class WebIdentityCredentials : public CredentialsSource {
 public:
  explicit WebIdentityCredentials(CredentialsOptions options) : options_(std::move(options)) {}

  Result<FetchedCredentials> fetch(const CallOptions& options) override;

 private:
  const CredentialsOptions options_;
};

}  // namespace varve::s3
