// How the S3 client behaves, apart from where the bucket is and who asks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "remote_storage/s3/environment.h"

namespace varve::s3 {

// What the server compares a stored body with, besides the SHA-256 in a signature that covers it.
// Buckets with object lock demand one.
enum class Checksum {
  kAutomatic,  // An MD5 where the signature does not cover the body, or the server demands one.
  kNone,
  kMd5,     // Content-MD5, which every server knows; the ETag of the answer is compared as well.
  kCrc32c,  // x-amz-checksum-crc32c
  kSha256,  // x-amz-checksum-sha256
};

struct S3Options {
  Checksum checksum = Checksum::kAutomatic;
  // Whether the signature covers the body. None: only where TLS does not protect it.
  std::optional<bool> sign_payload = {};
  // "STANDARD_IA", ...; empty: as the bucket has it.
  std::string storage_class = {};
  // "AES256", "aws:kms" or "aws:kms:dsse"; empty: as the bucket has it.
  std::string server_side_encryption = {};
  // Only with "aws:kms..."; empty: the account's default key.
  std::string kms_key_id = {};
  // PEM file of the certificates to trust; empty: the system's.
  std::string ca_file = {};
  std::string user_agent = "varve/" VARVE_VERSION;
  // Of each kind (reading, writing, listing, removing).
  size_t maximum_requests = 64;
  // Bytes per second, sent and received each; 0: no cap.
  uint64_t bandwidth = 0;
  Duration connect_timeout = std::chrono::seconds(10);
  Duration first_byte_timeout = std::chrono::seconds(60);
  Duration stall_timeout = std::chrono::seconds(30);
};

// Reads the variables that docs/s3.md lists; one that is empty counts as not set. InvalidArgument
// for a bad value, naming the variable and the value.
Result<S3Options> s3_options_from_environment(const EnvironmentVariables& environment);

}  // namespace varve::s3
