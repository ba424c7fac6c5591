// Several sources, asked in their order.
#pragma once

#include <memory>
#include <vector>

#include "remote_storage/s3/credentials_source.h"

namespace varve::s3 {

// The first source that is set up counts: when it fails, the next ones are not asked, since they
// might give another identity. Denied with the reason of each when none is set up. Never without
// credentials otherwise.
class CredentialsChain : public CredentialsSource {
 public:
  explicit CredentialsChain(std::vector<std::unique_ptr<CredentialsSource>> sources)
      : sources_(std::move(sources)) {}

  Result<FetchedCredentials> fetch(const CallOptions& options) override;

 private:
  const std::vector<std::unique_ptr<CredentialsSource>> sources_;
};

}  // namespace varve::s3
