#include "remote_storage/s3/sigv4.h"

#include <gmock/gmock.h>

#include "remote_storage/s3/uri.h"

namespace varve::s3 {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kEmptyHash =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

Timestamp at(std::string_view text) {
  return Timestamp::parse(text).value();
}

std::string header(const HttpRequest& request, std::string_view name) {
  return std::string(find_header(request.headers, name).value_or("(absent)"));
}

// The signature alone.
std::string signature(std::string_view authorization) {
  return std::string(authorization.substr(authorization.rfind('=') + 1));
}

// The examples of the Amazon S3 API reference, "Authenticating Requests: Using the Authorization
// Header (AWS Signature Version 4)".
class SigV4Documentation : public testing::Test {
 protected:
  HttpRequest signed_request(HttpRequest request, std::string_view payload_hash = kEmptyHash) {
    const auto signing =
        sign_request(request,
                     {.access_key_id = "AKIAIOSFODNN7EXAMPLE",
                      .secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
                     {.region = "us-east-1"}, payload_hash, at("2013-05-24T00:00:00Z"));
    EXPECT_TRUE(signing.ok());
    return request;
  }
  const std::string host_ = "https://examplebucket.s3.amazonaws.com";
};

TEST_F(SigV4Documentation, GetObjectWithARange) {
  const HttpRequest request =
      signed_request({.url = host_ + "/test.txt", .headers = {{"range", "bytes=0-9"}}});
  EXPECT_EQ(header(request, "authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(header(request, "host"), "examplebucket.s3.amazonaws.com");
  EXPECT_EQ(header(request, "x-amz-date"), "20130524T000000Z");
  EXPECT_EQ(header(request, "x-amz-content-sha256"), kEmptyHash);
  EXPECT_EQ(header(request, "x-amz-security-token"), "(absent)");
}

TEST_F(SigV4Documentation, PutObject) {
  const HttpRequest request =
      signed_request({.method = "PUT",
                      .url = host_ + "/test$file.text",
                      .headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                  {"x-amz-storage-class", "REDUCED_REDUNDANCY"}}},
                     sha256_hex(as_bytes("Welcome to Amazon S3.")));
  EXPECT_THAT(header(request, "authorization"),
              EndsWith("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST_F(SigV4Documentation, GetBucketLifecycle) {
  EXPECT_THAT(header(signed_request({.url = host_ + "/?lifecycle"}), "authorization"),
              EndsWith("fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST_F(SigV4Documentation, ListObjects) {
  EXPECT_THAT(header(signed_request({.url = host_ + "?max-keys=2&prefix=J"}), "authorization"),
              EndsWith("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

// AWS's aws-sig-v4-test-suite, as far as it does not ask for a normalised path, which S3 has not.
struct Vector {
  std::string name;
  std::string method;
  std::string path;
  Headers headers;
  std::string body;
  std::string signature;
};

class SigV4TestSuite : public testing::TestWithParam<Vector> {};

TEST_P(SigV4TestSuite, Agrees) {
  const Vector& vector = GetParam();
  HttpRequest request{.method = vector.method,
                      .url = "https://example.amazonaws.com" + vector.path,
                      .headers = vector.headers};
  request.headers.emplace_back("host", "example.amazonaws.com");
  request.headers.emplace_back("x-amz-date", "20150830T123600Z");
  EXPECT_EQ(
      signature(authorization(request,
                              {.access_key_id = "AKIDEXAMPLE",
                               .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"},
                              {.region = "us-east-1", .service = "service"},
                              sha256_hex(as_bytes(vector.body)), at("2015-08-30T12:36:00Z"))
                    .value()),
      vector.signature);
}

INSTANTIATE_TEST_SUITE_P(
    Published, SigV4TestSuite,
    testing::Values(
        Vector{"GetVanilla",
               "GET",
               "/",
               {},
               "",
               "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        Vector{"GetVanillaQueryOrderKeyCase",
               "GET",
               "/?Param2=value2&Param1=value1",
               {},
               "",
               "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
        Vector{"GetVanillaEmptyQueryKey",
               "GET",
               "/?Param1=value1",
               {},
               "",
               "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
        Vector{"GetVanillaQueryUnreserved",
               "GET",
               "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz="
               "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
               {},
               "",
               "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
        Vector{"GetUtf8",
               "GET",
               "/\u1234",
               {},
               "",
               "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
        Vector{"GetHeaderKeyDuplicate",
               "GET",
               "/",
               {{"my-header1", "value2"}, {"my-header1", "value2"}, {"my-header1", "value1"}},
               "",
               "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
        Vector{"GetHeaderValueTrim",
               "GET",
               "/",
               {{"my-header1", " value1"}, {"my-header2", " \"a   b   c\""}},
               "",
               "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
        Vector{"PostVanilla",
               "POST",
               "/",
               {},
               "",
               "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
        Vector{"PostHeaderKeySort",
               "POST",
               "/",
               {{"my-header1", "value1"}},
               "",
               "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
        Vector{"PostFormUrlencoded",
               "POST",
               "/",
               {{"content-type", "application/x-www-form-urlencoded"}},
               "Param1=value1",
               "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"}),
    [](const auto& instance) { return instance.param.name; });

// Signatures of botocore 1.43 (S3SigV4Auth) for the same requests.
class SigV4Botocore : public testing::Test {
 protected:
  std::string of(HttpRequest request, std::string_view payload_hash, std::string token = {}) {
    const auto signing =
        sign_request(request,
                     {.access_key_id = "AKIDEXAMPLE",
                      .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                      .session_token = std::move(token)},
                     {.region = "eu-central-1"}, payload_hash, at("2026-11-22T03:04:05Z"));
    EXPECT_TRUE(signing.ok());
    return signature(header(request, "authorization"));
  }
  std::string of_key(std::string_view key) {
    return of(
        {.url = "https://bucket.s3.eu-central-1.amazonaws.com/" + uri_encode(key, Slash::kKept)},
        kUnsignedPayload);
  }
};

TEST_F(SigV4Botocore, KeysWithEveryKindOfCharacter) {
  EXPECT_EQ(of_key("a key with blanks"),
            "c4aecd601862db9a43bf3db2f8ec2934ed8f805b8790b74a8a1efacbd4de33d6");
  EXPECT_EQ(of_key("a+b"), "568dec1174efb694067b46f083386be03dbb767b698f5e3e5bf82ac649190e43");
  EXPECT_EQ(of_key("100%/%41"), "f9543c935fe42f3b68f5964e5182163e6dfb6bbd974aca617de3c5f3b33ee766");
  EXPECT_EQ(of_key("größe/水/😀"),
            "5fe17644bbc8f9881777000848c8d99485f633824ccb8a142ec50d64c044d93a");
  EXPECT_EQ(of_key("a.b/...c/~d"),
            "7c7995e9912e44bebb81c956f41f0084051f4dc66abb88da214a21e2926c2da1");
  EXPECT_EQ(of_key("!$&'()*,;=:@?#[]\\\"<>^`{|}"),
            "1bb850a937c6aea6d2bf8af88ae753e1df909df8c1a92d41a26b101d40d55767");
  EXPECT_EQ(of_key(std::string(1000, 'k')),
            "62f99a44265f4690a49487a4d633b5a93ec971286bda58b133889bbf050e3432");
}

TEST_F(SigV4Botocore, AQueryInAnyOrderAndSpelling) {
  constexpr std::string_view kSignature =
      "6b710e7b18d0e6a52b911c79cd1d7bb8bd25aedad889027b46b2808730cc5460";
  EXPECT_EQ(of({.url = "http://127.0.0.1:7480/bucket?prefix=a%20b%2Bc%25%2F%C3%BC&list-type=2&"
                       "encoding-type=url&continuation-token=1o1f%2B%2F%3D%3D&uploads="},
               kEmptyHash),
            kSignature);
  EXPECT_EQ(of({.url = "http://127.0.0.1:7480/bucket?uploads&list-type=2&encoding-type=url&"
                       "prefix=a%20b+c%25/%c3%bc&continuation-token=1o1f+/=="},
               kEmptyHash),
            kSignature);
}

TEST_F(SigV4Botocore, ATokenAndHeadersThatMeanSomethingAreSigned) {
  const HttpRequest request{.method = "PUT",
                            .url = "https://bucket.s3.eu-central-1.amazonaws.com/key",
                            .headers = {{"content-md5", "XrY7u+Ae7tCTyyK7j1rNww=="},
                                        {"if-none-match", "*"},
                                        {"x-amz-meta-note", "  two   blanks "},
                                        {"user-agent", "varve"}}};
  EXPECT_EQ(of(request, sha256_hex(as_bytes("hello world")), "token/with+signs=="),
            "c4383e76f095d3b7a9b5087288007a0d1c1e5c6e812c1d32d983379cbaa11009");
}

TEST(SigV4, SigningAgainReplacesWhatWasAdded) {
  const Credentials old{.access_key_id = "OLD", .secret_access_key = "x", .session_token = "t"};
  const Credentials renewed{.access_key_id = "NEW", .secret_access_key = "y", .session_token = "u"};
  HttpRequest again{.url = "https://host/key"};
  ASSERT_TRUE(sign_request(again, old, {.region = "r"}, kEmptyHash, {}).ok());
  ASSERT_TRUE(sign_request(again, renewed, {.region = "s"}, kUnsignedPayload, {1'000'000}).ok());
  HttpRequest once{.url = "https://host/key"};
  ASSERT_TRUE(sign_request(once, renewed, {.region = "s"}, kUnsignedPayload, {1'000'000}).ok());
  EXPECT_EQ(again.headers, once.headers);
}

TEST(SigV4, TheSchemesOwnPortIsNotPartOfTheHost) {
  const Credentials key{.access_key_id = "a", .secret_access_key = "b"};
  const auto host_of = [&](std::string url) {
    HttpRequest request{.url = std::move(url)};
    EXPECT_TRUE(sign_request(request, key, {.region = "r"}, kEmptyHash, {}).ok());
    return header(request, "host");
  };
  EXPECT_EQ(host_of("https://host:443/a"), "host");
  EXPECT_EQ(host_of("http://host:80"), "host");
  EXPECT_EQ(host_of("http://host:443/a"), "host:443");
  EXPECT_EQ(host_of("http://[::1]:7480/a"), "[::1]:7480");
}

TEST(SigV4, WhatIsNoUrlIsRefusedWithoutShowingIt) {
  HttpRequest request{.url = "https://user:hush@host/"};
  const auto signing = sign_request(request, {}, {.region = "r"}, kEmptyHash, {});
  ASSERT_TRUE(signing.failed_with(ErrorCode::kInvalidArgument));
  EXPECT_THAT(signing.error().message(), Not(HasSubstr("hush")));
}

}  // namespace
}  // namespace varve::s3
