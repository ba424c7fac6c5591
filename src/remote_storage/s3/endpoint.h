// Where a bucket is reached, and the URLs of what is in it. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "remote_storage/url.h"

namespace varve::s3 {

struct Endpoint {
  std::string scheme = "https";
  // Of the service, without the bucket; with the port if there is one.
  std::string authority;
  // Goes before every path: "" or "/path".
  std::string base_path = {};
  std::string bucket;
  // What requests are signed for.
  std::string region;
  // The bucket stands in the path rather than in the host name.
  bool path_style = false;
  // The host follows from the region: nobody named it.
  bool is_aws_default = false;

  bool operator==(const Endpoint&) const = default;
};

// Of a location whose region and endpoint were completed from the environment. Without an endpoint
// it is AWS, and without a region us-east-1, which knows where every bucket is. The bucket goes
// into the path on request, and where it cannot stand in the host name: with an address or
// localhost as the host, and over TLS with a dot in its name, since no certificate covers that.
// InvalidArgument when the endpoint is no URL of a server.
Result<Endpoint> resolve_endpoint(const S3Location& location);

// In any order and not encoded; a parameter without value has an empty one.
using Query = std::vector<std::pair<std::string, std::string>>;

// The URL of an object, or with an empty key that of the bucket; percent-encoded.
std::string request_url(const Endpoint& endpoint, std::string_view key, const Query& query = {});

// The same bucket in another region. Only the default endpoint of AWS changes its host.
Endpoint in_region(const Endpoint& endpoint, std::string_view region);

// The same bucket at another host ("s3.eu-west-1.amazonaws.com", with or without the bucket in
// front), as a redirect names it.
Endpoint at_host(const Endpoint& endpoint, std::string_view host);

}  // namespace varve::s3
