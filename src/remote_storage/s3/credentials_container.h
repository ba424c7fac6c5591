// Credentials of a container: the services of Amazon ECS and EKS that two variables point to. AWS
// SDKs and Tools Reference Guide, "Container credential provider".
#pragma once

#include "remote_storage/s3/credentials_source.h"

namespace varve::s3 {

// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, a path at 169.254.170.2, or else _FULL_URI. The header
// authorization is the content of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, read anew each time, or
// else AWS_CONTAINER_AUTHORIZATION_TOKEN. Without TLS only this machine and the link-local
// addresses of ECS and EKS are asked, by their numbers or as localhost: the answer holds keys in
// clear text.
//
// No message shows the path: whoever knows it in the same network can fetch the keys.
class ContainerCredentials : public CredentialsSource {
 public:
  explicit ContainerCredentials(CredentialsOptions options) : options_(std::move(options)) {}

  Result<FetchedCredentials> fetch(const CallOptions& options) override;

 private:
  Result<std::optional<std::string>> authorization() const;

  const CredentialsOptions options_;
};

}  // namespace varve::s3
