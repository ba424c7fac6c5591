// Credentials of the role of an EC2 instance: the instance metadata service, version 2. Amazon EC2
// User Guide, "Use the Instance Metadata Service to access instance metadata".
#pragma once

#include "remote_storage/s3/credentials_source.h"

namespace varve::s3 {

// At AWS_EC2_METADATA_SERVICE_ENDPOINT, or else 169.254.169.254 or, with
// AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6, [fd00:ec2::254]; not at all with
// AWS_EC2_METADATA_DISABLED=true. Each request may take a second. A service that never answered
// counts as absent, since no other machine has one; from its first answer on, silence is
// Unavailable.
class InstanceCredentials : public CredentialsSource {
 public:
  explicit InstanceCredentials(CredentialsOptions options) : options_(std::move(options)) {}

  Result<FetchedCredentials> fetch(const CallOptions& options) override;

 private:
  Result<std::string> endpoint() const;
  Result<HttpResponse> read(const std::string& url, const std::string& token,
                            const CallOptions& options) const;
  Result<FetchedCredentials> fetch_role(const std::string& endpoint, const std::string& token,
                                        const CallOptions& options) const;

  const CredentialsOptions options_;
  bool answered_ = false;
};

}  // namespace varve::s3
