#include "remote_storage/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fs/temporary_directory.h"
#include "remote_storage/streams.h"

namespace varve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string root_of(std::string_view url) {
  return std::get<FileLocation>(parse_remote_url(url).value()).root.string();
}

S3Location s3_of(std::string_view url) {
  return std::get<S3Location>(parse_remote_url(url).value());
}

std::string refusal(std::string_view url) {
  const auto location = parse_remote_url(url);
  EXPECT_TRUE(location.failed_with(ErrorCode::kInvalidArgument)) << url;
  return location.ok() ? "" : location.error().message();
}

TEST(RemoteUrl, AFileUrlNamesAnAbsolutePath) {
  EXPECT_EQ(root_of("file:///var/lib/varve"), "/var/lib/varve");
  EXPECT_EQ(root_of("file:///with%20blank/%C3%BC%25"), "/with blank/\xC3\xBC%");
  EXPECT_EQ(root_of("file:///a//b/./c/"), "/a/b/c");
  EXPECT_EQ(root_of("file:///"), "/");
}

TEST(RemoteUrl, AFileUrlThatIsRelativeOrHasAHostIsRefused) {
  for (const std::string_view url : {"file://", "file://host/path", "file://relative", "file:/path",
                                     "file://localhost/path", "file:///a/../b"}) {
    refusal(url);
  }
  EXPECT_THAT(refusal("file://relative"), HasSubstr("file:///var/lib/varve"));
}

TEST(RemoteUrl, AFileUrlHasNoParametersAndWellFormedEscapes) {
  EXPECT_THAT(refusal("file:///a?b=c"), HasSubstr("%3F"));
  refusal("file:///a#b");
  refusal("file:///a%");
  refusal("file:///a%2");
  refusal("file:///a%zz");
  refusal("file:///a%00b");
}

TEST(RemoteUrl, AnS3UrlNamesBucketPrefixAndParameters) {
  EXPECT_EQ(s3_of("s3://bucket"), (S3Location{.bucket = "bucket"}));
  EXPECT_EQ(s3_of("s3://bucket/"), (S3Location{.bucket = "bucket"}));
  EXPECT_EQ(s3_of("s3://my.bucket-1/some/prefix/?region=eu-central-1&path_style=true"),
            (S3Location{.bucket = "my.bucket-1",
                        .prefix = "some/prefix",
                        .region = "eu-central-1",
                        .path_style = true}));
  EXPECT_FALSE(s3_of("s3://bucket?path_style=false").path_style);
}

TEST(RemoteUrl, AnEndpointIsAFullUrlPercentEncodedOrNot) {
  EXPECT_EQ(s3_of("s3://bucket?endpoint=http://127.0.0.1:9000").endpoint, "http://127.0.0.1:9000");
  EXPECT_EQ(s3_of("s3://bucket?endpoint=http%3A%2F%2F127.0.0.1%3A9000").endpoint,
            "http://127.0.0.1:9000");
  for (const std::string_view endpoint :
       {"127.0.0.1:9000", "ftp://host", "https://", "http:///path", "https://:9000",
        "https://host%20name", "https://host?x", "https://host%23x"}) {
    refusal(fmt::format("s3://bucket?endpoint={}", endpoint));
  }
}

TEST(RemoteUrl, CredentialsAreRefusedAndNeverRepeated) {
  for (const std::string_view url :
       {"s3://AKIAEXAMPLE:hush/hush@bucket/prefix", "s3://hush@bucket",
        "s3://bucket?access_key=hush", "s3://bucket?secret_access_key=hush",
        "s3://bucket?session_token=hush", "s3://bucket?AWS_SECRET=hush",
        "s3://bucket?endpoint=https://user:hush@host"}) {
    const std::string message = refusal(url);
    EXPECT_THAT(message, Not(HasSubstr("hush"))) << url;
    EXPECT_THAT(message, HasSubstr("AWS_ACCESS_KEY_ID")) << url;
  }
}

TEST(RemoteUrl, WhatAnS3UrlDoesNotKnowIsRefused) {
  EXPECT_THAT(refusal("s3://bucket?regoin=x"), HasSubstr("'regoin'"));
  for (const std::string_view url :
       {"s3://", "s3:///prefix", "s3://Bucket", "s3://b", "s3://bucket_name", "s3://-bucket",
        "s3://bucket:9000/prefix", "s3://bucket/a/../b", "s3://bucket//a", "s3://bucket/%FF",
        "s3://bucket#part", "s3://bucket?region=", "s3://bucket?region=a/b", "s3://bucket?region",
        "s3://bucket?region=a&region=b", "s3://bucket?path_style=yes", "s3://bucket?region=%"}) {
    refusal(url);
  }
}

TEST(RemoteUrl, OtherSchemesAreRefusedWithWhatIsKnown) {
  for (const std::string_view url : {"", "/var/lib", "http://host/x", "S3://bucket", "s3:bucket"}) {
    EXPECT_THAT(refusal(url), HasSubstr("s3://bucket/prefix")) << url;
  }
}

TEST(RemoteUrl, IsPrintedSoThatItParsesToTheSame) {
  for (const std::string_view url :
       {"file:///", "file:///a%20b/%25/%3F", "s3://bucket", "s3://bucket/a%26b/c",
        "s3://bucket/p?region=r-1&endpoint=https://host:1/x%26y&path_style=true"}) {
    const auto location = parse_remote_url(url).value();
    EXPECT_EQ(to_url(location), url);
    EXPECT_EQ(parse_remote_url(to_url(location)).value(), location);
  }
}

TEST(RemoteUrl, OpensADirectory) {
  const auto directory = TemporaryDirectory::create().value();
  const std::string url = to_url(FileLocation{directory.path()});
  const auto storage = open_remote_storage(url).value();
  EXPECT_EQ(storage->url(), url);
  ASSERT_TRUE(storage->put("key", as_bytes("body"), PutCondition::kIfAbsent, {}).ok());
  EXPECT_EQ(as_text(get_bytes(*open_remote_storage(url).value(), "key", {}, 10, {}).value()),
            "body");
}

TEST(RemoteUrl, OpensABucketWithoutSendingAnything) {
  const std::string url = "s3://bucket/prefix?endpoint=http://127.0.0.1:1";
  EXPECT_EQ(open_remote_storage(url).value()->url(), url);
}

TEST(RemoteUrl, DoesNotOpenADirectoryThatIsAbsent) {
  EXPECT_TRUE(open_remote_storage("file:///absent/directory").failed_with(ErrorCode::kNotFound));
}

}  // namespace
}  // namespace varve
