// Where requests go, as the environment and the shared config file of the AWS tools have it.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "remote_storage/s3/environment.h"

namespace varve::s3 {

// Empty: not set anywhere.
struct AwsSettings {
  // AWS_REGION, AWS_DEFAULT_REGION, the profile's region.
  std::string region = {};
  // "https://host:port/path" of S3: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the endpoint_url of s3
  // in the profile's services, the profile's endpoint_url.
  std::string endpoint = {};
  // That of the service that gives credentials for tokens: AWS_ENDPOINT_URL_STS or the endpoint_url
  // of sts in the profile's services. What is set for all services is meant for a storage.
  std::string sts_endpoint = {};
  bool operator==(const AwsSettings&) const = default;
};

// With AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true no endpoint counts. InvalidArgument when an
// endpoint is no URL or the region no name, naming the variable or the profile; else errors as of
// load_profile(). No message shows an endpoint, which might hold a password.
Result<AwsSettings> aws_settings(const EnvironmentVariables& environment,
                                 const std::optional<std::string>& profile = {});

}  // namespace varve::s3
