// The keys that requests are signed with, and where they come from.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "runtime/call_options.h"

namespace varve::s3 {

// Never logged and never part of a message.
struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  // Empty for keys of an account; temporary ones have it.
  std::string session_token = {};
  // None: they don't expire.
  std::optional<Timestamp> expires_at = {};

  bool operator==(const Credentials&) const = default;
};

// Thread-safe. Several callers that need new credentials at once fetch them once.
class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;

  // Credentials that are valid for now; renewed before they expire. None: anonymous, requests are
  // not signed. Denied when no source has any, with the sources that were asked.
  virtual Result<std::optional<Credentials>> get(const CallOptions& options) = 0;

  // The server said that these have expired or are not valid: the next get() fetches others where
  // the source may have them. Does nothing when they were replaced already.
  virtual void reject(const Credentials& credentials) = 0;

  // "the environment", "profile 'backup' of ~/.aws/credentials": for messages.
  virtual std::string source() const = 0;
};

}  // namespace varve::s3
