// One place that credentials may come from.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "remote_storage/s3/credentials.h"
#include "remote_storage/s3/environment.h"
#include "remote_storage/s3/http.h"
#include "runtime/call_options.h"

namespace varve::s3 {

// What sources work with.
struct CredentialsOptions {
  EnvironmentVariables environment = process_environment();
  // Outlives what is made with it; must not be null.
  HttpTransport* transport = nullptr;
  // Outlives what is made with it.
  Clock* clock = &system_clock();
  // Only this profile of the shared files counts, and neither the environment nor a service. None:
  // all sources in their order.
  std::optional<std::string> profile = {};
  // Requests are not signed.
  bool anonymous = false;
};

// Either credentials and where they are from, or why there are none.
struct FetchedCredentials {
  std::optional<Credentials> credentials = {};
  // "the environment", "profile 'backup' of ...".
  std::string source = {};
  // "AWS_ACCESS_KEY_ID is not set": nobody set this source up, so that the next one is asked.
  std::string absence = {};

  static FetchedCredentials none(std::string why) { return {.absence = std::move(why)}; }
};

// Used by one thread at a time.
class CredentialsSource {
 public:
  virtual ~CredentialsSource() = default;

  // Asks anew each time. An error means that the source is set up and does not work: Denied,
  // InvalidArgument and Corrupted when it needs a remedy, retryable codes when it may work later;
  // Cancelled only as asked by `options`. No message shows a secret.
  virtual Result<FetchedCredentials> fetch(const CallOptions& options) = 0;
};

// The credentials, when they are complete and can stand in headers; else Denied. `names` are those
// of the key ID, the secret and the token in the source.
struct CredentialNames {
  std::string_view access_key_id;
  std::string_view secret_access_key;
  std::string_view session_token;
};
Result<Credentials> checked(Credentials credentials, const CredentialNames& names);

// Credentials as the container and the instance services answer: an object with AccessKeyId,
// SecretAccessKey, Token and Expiration. Corrupted for anything else, Denied for an answer that
// tells a failure (its Code, but not its text).
Result<Credentials> parse_credentials_json(ByteView body);

}  // namespace varve::s3
