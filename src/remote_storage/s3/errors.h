// What a refusal of the server means: the code, a message with the remedy, and what the client
// itself can mend. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "remote_storage/s3/http.h"
#include "remote_storage/s3/xml.h"

namespace varve::s3 {

// The request that was refused.
struct FailedRequest {
  std::string method;
  std::string bucket;
  // Empty: the request was about the bucket.
  std::string key = {};
  std::string region = {};
  // Where the credentials came from.
  std::string credentials = {};
  // It was to create an object only if absent.
  bool conditional = false;
};

// What the client can change of a request, to send it once more.
enum class Repair {
  kNone,
  kCredentials,  // These have expired or are not known (any more).
  kClock,        // Signed with a time that is not the server's.
  kPlace,        // The bucket is in another region, or is reached at another host.
};

struct Failure {
  Error error;
  int status = 0;
  // As S3 names it: "NoSuchKey"; empty when the answer had no document that says so.
  std::string code = {};
  Repair repair = Repair::kNone;
  // With kClock: the server's time.
  std::optional<Timestamp> server_time = {};
  // With kPlace; empty where the answer does not say.
  std::string region = {};
  std::string host = {};
  // With kPlace: for later requests, too.
  bool permanent = false;
};

// Of an answer whose status is no success. Sources: Amazon S3 API reference, "Error responses" and
// "Making requests, request redirection".
Failure describe_failure(const FailedRequest& request, const HttpResponse& response);

// Of an error document, wherever it stood; `status` is 0 when it came with a success.
Error describe_error(const FailedRequest& request, int status, const ErrorDocument& document);

}  // namespace varve::s3
