#include "remote_storage/s3/endpoint.h"

#include <gtest/gtest.h>

namespace varve::s3 {
namespace {

std::string url_of(const S3Location& location, std::string_view key = "a/b",
                   const Query& query = {}) {
  return request_url(resolve_endpoint(location).value(), key, query);
}

TEST(S3Endpoint, S3_WithoutAnEndpointItIsAws) {
  EXPECT_EQ(url_of({.bucket = "bucket"}), "https://bucket.s3.us-east-1.amazonaws.com/a/b");
  EXPECT_EQ(url_of({.bucket = "bucket", .region = "eu-central-1"}),
            "https://bucket.s3.eu-central-1.amazonaws.com/a/b");
  EXPECT_EQ(url_of({.bucket = "bucket", .region = "cn-north-1"}),
            "https://bucket.s3.cn-north-1.amazonaws.com.cn/a/b");
  EXPECT_EQ(url_of({.bucket = "bucket", .path_style = true}),
            "https://s3.us-east-1.amazonaws.com/bucket/a/b");
}

TEST(S3Endpoint, S3_AnEndpointHasItsSchemePortAndPath) {
  EXPECT_EQ(url_of({.bucket = "bucket", .endpoint = "http://s3.example.com:9000"}),
            "http://bucket.s3.example.com:9000/a/b");
  EXPECT_EQ(url_of({.bucket = "bucket", .endpoint = "https://example.com/s3/", .path_style = true}),
            "https://example.com/s3/bucket/a/b");
  EXPECT_EQ(url_of({.bucket = "bucket", .endpoint = "https://example.com/s3"}),
            "https://bucket.example.com/s3/a/b");
}

TEST(S3Endpoint, ABucketThatCannotStandInTheHostNameGoesIntoThePath) {
  EXPECT_EQ(url_of({.bucket = "my.bucket"}), "https://s3.us-east-1.amazonaws.com/my.bucket/a/b");
  EXPECT_EQ(url_of({.bucket = "my.bucket", .endpoint = "http://example.com"}),
            "http://my.bucket.example.com/a/b")
      << "without TLS a dot does no harm";
  EXPECT_EQ(url_of({.bucket = "bucket", .endpoint = "http://127.0.0.1:9000"}),
            "http://127.0.0.1:9000/bucket/a/b");
  EXPECT_EQ(url_of({.bucket = "bucket", .endpoint = "http://[::1]:9000"}),
            "http://[::1]:9000/bucket/a/b");
  EXPECT_EQ(url_of({.bucket = "bucket", .endpoint = "https://localhost"}),
            "https://localhost/bucket/a/b");
}

TEST(S3Endpoint, KeysAndParametersAreEncoded) {
  const S3Location location{.bucket = "bucket", .endpoint = "http://127.0.0.1"};
  EXPECT_EQ(url_of(location, "a b/c+d?e%f#\xC3\xBC"),
            "http://127.0.0.1/bucket/a%20b/c%2Bd%3Fe%25f%23%C3%BC");
  EXPECT_EQ(url_of(location, "", {{"uploads", ""}, {"prefix", "a/b&c"}}),
            "http://127.0.0.1/bucket?uploads=&prefix=a%2Fb%26c");
  EXPECT_EQ(url_of({.bucket = "bucket"}, "", {{"list-type", "2"}}),
            "https://bucket.s3.us-east-1.amazonaws.com/?list-type=2");
}

TEST(S3Endpoint, WhatIsNoServerIsRefused) {
  for (const auto* endpoint : {"example.com", "ftp://example.com", "https://", "http://a?b=c"}) {
    EXPECT_TRUE(resolve_endpoint({.bucket = "bucket", .endpoint = endpoint})
                    .failed_with(ErrorCode::kInvalidArgument))
        << endpoint;
  }
}

TEST(S3Endpoint, ABucketMovesToAnotherRegionOrHost) {
  const Endpoint aws = resolve_endpoint({.bucket = "bucket"}).value();
  EXPECT_EQ(request_url(in_region(aws, "eu-west-1"), "k"),
            "https://bucket.s3.eu-west-1.amazonaws.com/k");
  EXPECT_EQ(in_region(aws, "eu-west-1").region, "eu-west-1");
  EXPECT_EQ(request_url(at_host(aws, "bucket.s3-eu-west-1.amazonaws.com"), "k"),
            "https://bucket.s3-eu-west-1.amazonaws.com/k");
  EXPECT_EQ(request_url(at_host(aws, "s3-eu-west-1.amazonaws.com"), "k"),
            "https://bucket.s3-eu-west-1.amazonaws.com/k");
  const Endpoint in_path = resolve_endpoint({.bucket = "bucket", .path_style = true}).value();
  EXPECT_EQ(request_url(at_host(in_path, "bucket.s3-eu-west-1.amazonaws.com"), "k"),
            "https://s3-eu-west-1.amazonaws.com/bucket/k");
  EXPECT_EQ(request_url(at_host(in_path, "bucket.example.com"), "k"),
            "https://bucket.example.com/bucket/k");
  const Endpoint other =
      resolve_endpoint({.bucket = "bucket", .endpoint = "http://127.0.0.1:9000"}).value();
  EXPECT_EQ(request_url(in_region(other, "eu-west-1"), "k"), "http://127.0.0.1:9000/bucket/k");
}

}  // namespace
}  // namespace varve::s3
