// The keys, or the role for a token, of a profile in the shared files of the AWS tools.
#pragma once

#include "remote_storage/s3/credentials_source.h"

namespace varve::s3 {

// See load_profile() for which profile of which files. The files are read anew each time, so that
// keys which were replaced in them are found. What a profile may have besides (credential_process,
// roles of other profiles, single sign-on) is InvalidArgument, naming the property.
class ProfileCredentials : public CredentialsSource {
 public:
  explicit ProfileCredentials(CredentialsOptions options) : options_(std::move(options)) {}

  Result<FetchedCredentials> fetch(const CallOptions& options) override;

 private:
  const CredentialsOptions options_;
};

}  // namespace varve::s3
