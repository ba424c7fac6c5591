// Credentials that stay the same.
#pragma once

#include "remote_storage/s3/credentials.h"

namespace varve::s3 {

class StaticCredentials : public CredentialsProvider {
 public:
  // None: anonymous. `source` is what source() says.
  StaticCredentials(std::optional<Credentials> credentials, std::string source)
      : credentials_(std::move(credentials)), source_(std::move(source)) {}

  Result<std::optional<Credentials>> get(const CallOptions& /*options*/) override {
    return credentials_;
  }
  void reject(const Credentials& /*credentials*/) override {}
  std::string source() const override { return source_; }

 private:
  const std::optional<Credentials> credentials_;
  const std::string source_;
};

}  // namespace varve::s3
