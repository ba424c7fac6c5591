// AWS Signature Version 4 as S3 has it: the path is neither normalised nor encoded twice, and the
// payload's hash is a header. Pure functions. Sources: Amazon S3 API reference, "Authenticating
// Requests: Using the Authorization Header" and "Using Query Parameters".
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "remote_storage/s3/credentials.h"
#include "remote_storage/s3/http.h"

namespace varve::s3 {

// In place of a hash, for a payload that is not signed.
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

// What else a signature is valid for.
struct SigningScope {
  std::string region;
  std::string service = "s3";
};

// The hash of a payload: 64 lower-case hex digits.
std::string sha256_hex(ByteView bytes);

// "20130524T000000Z".
std::string amz_date(Timestamp time);

// Signs a request: adds or replaces the headers host, x-amz-content-sha256, x-amz-date,
// authorization and, for temporary credentials, x-amz-security-token. Every header that the request
// has is signed, but those that a proxy or the transport may change (authorization, connection,
// expect, user-agent, transfer-encoding); the transport must send the signed ones as they are.
// `payload_hash` is sha256_hex() of the body or kUnsignedPayload. InvalidArgument when the URL is
// none.
Result<> sign_request(HttpRequest& request, const Credentials& credentials,
                      const SigningScope& scope, std::string_view payload_hash, Timestamp time);

// The parts of a signature, for a request that has all its headers already.
Result<std::string> canonical_request(const HttpRequest& request, std::string_view payload_hash);
std::string string_to_sign(std::string_view canonical_request, const SigningScope& scope,
                           Timestamp time);
// The value of the authorization header.
Result<std::string> authorization(const HttpRequest& request, const Credentials& credentials,
                                  const SigningScope& scope, std::string_view payload_hash,
                                  Timestamp time);

}  // namespace varve::s3
