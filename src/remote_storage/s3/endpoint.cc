#include "remote_storage/s3/endpoint.h"

#include <arpa/inet.h>

#include "remote_storage/s3/uri.h"

namespace varve::s3 {
namespace {

// AWS General Reference, "Amazon Simple Storage Service endpoints and quotas".
std::string aws_authority(std::string_view region) {
  return fmt::format("s3.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : "");
}

bool is_address(std::string_view host) {
  const std::string text(host);
  std::array<uint8_t, sizeof(in6_addr)> address{};
  return inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

bool bucket_fits_host(std::string_view host, const Endpoint& endpoint) {
  if (host == "localhost" || is_address(host)) return false;
  // A wildcard in a certificate stands for one label: RFC 6125, section 6.4.3.
  return endpoint.scheme != "https" || endpoint.bucket.find('.') == std::string::npos;
}

}  // namespace

Result<Endpoint> resolve_endpoint(const S3Location& location) {
  Endpoint endpoint{.bucket = location.bucket,
                    .region = location.region.empty() ? "us-east-1" : location.region,
                    .path_style = location.path_style};
  if (location.endpoint.empty()) {
    endpoint.authority = aws_authority(endpoint.region);
    endpoint.is_aws_default = true;
    endpoint.path_style |= !bucket_fits_host(endpoint.authority, endpoint);
    return endpoint;
  }
  const auto parts = split_url(location.endpoint);
  if (!parts.ok() || !parts->query.empty()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the endpoint of s3://{} must be a full URL such as "
                      "https://s3.example.com:9000",
                      location.bucket);
  }
  endpoint.scheme = parts->scheme;
  endpoint.authority = parts->authority;
  endpoint.base_path = parts->path;
  while (endpoint.base_path.ends_with('/')) endpoint.base_path.pop_back();
  endpoint.path_style |= !bucket_fits_host(parts->host(), endpoint);
  return endpoint;
}

std::string request_url(const Endpoint& endpoint, std::string_view key, const Query& query) {
  std::string url = endpoint.scheme + "://";
  if (endpoint.path_style) {
    url += endpoint.authority + endpoint.base_path + "/" + endpoint.bucket;
    if (!key.empty()) url += "/";
  } else {
    url += endpoint.bucket + "." + endpoint.authority + endpoint.base_path + "/";
  }
  url += uri_encode(key, Slash::kKept);
  char separator = '?';
  for (const auto& [name, value] : query) {
    url += std::exchange(separator, '&');
    url += uri_encode(name, Slash::kEncoded) + "=" + uri_encode(value, Slash::kEncoded);
  }
  return url;
}

Endpoint in_region(const Endpoint& endpoint, std::string_view region) {
  Endpoint moved = endpoint;
  moved.region = region;
  if (moved.is_aws_default) moved.authority = aws_authority(region);
  return moved;
}

Endpoint at_host(const Endpoint& endpoint, std::string_view host) {
  Endpoint moved = endpoint;
  const std::string in_front = endpoint.bucket + ".";
  // AWS puts the bucket in front even when the request had it in the path.
  const bool is_aws = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
  if (host.starts_with(in_front) && (is_aws || !endpoint.path_style)) {
    host.remove_prefix(in_front.size());
  }
  moved.authority = host;
  return moved;
}

}  // namespace varve::s3
