// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
#pragma once

#include "remote_storage/s3/credentials_source.h"

namespace varve::s3 {

// Denied when only one of ID and secret is set: whoever set it would not expect that others are
// used.
class EnvironmentCredentials : public CredentialsSource {
 public:
  explicit EnvironmentCredentials(EnvironmentVariables environment)
      : environment_(std::move(environment)) {}

  Result<FetchedCredentials> fetch(const CallOptions& options) override;

 private:
  const EnvironmentVariables environment_;
};

}  // namespace varve::s3
