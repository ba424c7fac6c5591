#include "remote_storage/s3/errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace varve::s3 {
namespace {

using ::testing::HasSubstr;

const FailedRequest kGet{.method = "GET",
                         .bucket = "bucket",
                         .key = "tenants/key",
                         .region = "us-east-1",
                         .credentials = "profile 'backup'"};

std::string document(std::string_view code, std::string_view more = "") {
  return fmt::format(
      "<?xml version=\"1.0\"?><Error><Code>{}</Code><Message>It says why.</Message>"
      "<RequestId>REQ1</RequestId>{}</Error>",
      code, more);
}

HttpResponse answer(int status, std::string_view body = "", Headers headers = {}) {
  const ByteView bytes = as_bytes(body);
  return {.status = status, .headers = std::move(headers), .body = {bytes.begin(), bytes.end()}};
}

Failure failure(int status, std::string_view code, std::string_view more = "",
                Headers headers = {}) {
  return describe_failure(kGet, answer(status, document(code, more), std::move(headers)));
}

struct Row {
  int status;
  std::string_view code;
  ErrorCode expected;
};

TEST(S3Errors, W1_EveryRefusalHasTheCodeThatSaysWhatToDo) {
  for (const Row& row : std::vector<Row>{
           {404, "NoSuchKey", ErrorCode::kNotFound},
           {404, "NoSuchBucket", ErrorCode::kInvalidArgument},
           {404, "NoSuchUpload", ErrorCode::kInvalidArgument},
           {403, "AccessDenied", ErrorCode::kDenied},
           {403, "SignatureDoesNotMatch", ErrorCode::kDenied},
           {403, "InvalidAccessKeyId", ErrorCode::kDenied},
           {400, "ExpiredToken", ErrorCode::kDenied},
           {400, "InvalidToken", ErrorCode::kDenied},
           {403, "RequestTimeTooSkewed", ErrorCode::kDenied},
           {403, "InvalidObjectState", ErrorCode::kDenied},
           {403, "SomethingNew", ErrorCode::kDenied},
           {503, "SlowDown", ErrorCode::kThrottled},
           {503, "ServiceUnavailable", ErrorCode::kThrottled},
           {429, "TooManyRequests", ErrorCode::kThrottled},
           {500, "InternalError", ErrorCode::kUnavailable},
           {502, "BadGateway", ErrorCode::kUnavailable},
           {400, "RequestTimeout", ErrorCode::kUnavailable},
           {400, "BadDigest", ErrorCode::kUnavailable},
           {400, "XAmzContentSHA256Mismatch", ErrorCode::kUnavailable},
           {409, "OperationAborted", ErrorCode::kUnavailable},
           {409, "ConditionalRequestConflict", ErrorCode::kUnavailable},
           {412, "PreconditionFailed", ErrorCode::kConflict},
           {416, "InvalidRange", ErrorCode::kInvalidArgument},
           {400, "EntityTooLarge", ErrorCode::kInvalidArgument},
           {400, "KeyTooLongError", ErrorCode::kInvalidArgument},
           {400, "KMS.NotFoundException", ErrorCode::kInvalidArgument},
           {501, "NotImplemented", ErrorCode::kInvalidArgument},
           {403, "QuotaExceeded", ErrorCode::kExhausted},
       }) {
    EXPECT_EQ(failure(row.status, row.code).error.code(), row.expected) << row.code;
  }
}

TEST(S3Errors, W1_WithoutADocumentTheStatusDecides) {
  for (const auto& [status, expected] : std::map<int, ErrorCode>{
           {301, ErrorCode::kInvalidArgument},
           {400, ErrorCode::kInvalidArgument},
           {401, ErrorCode::kDenied},
           {403, ErrorCode::kDenied},
           {405, ErrorCode::kInvalidArgument},
           {409, ErrorCode::kUnavailable},
           {412, ErrorCode::kConflict},
           {429, ErrorCode::kThrottled},
           {500, ErrorCode::kUnavailable},
           {502, ErrorCode::kUnavailable},
           {503, ErrorCode::kThrottled},
           {504, ErrorCode::kUnavailable},
           {507, ErrorCode::kExhausted},
       }) {
    EXPECT_EQ(describe_failure(kGet, answer(status, "<html>a proxy</html>")).error.code(), expected)
        << status;
  }
}

TEST(S3Errors, W1_OnlyADefinite404MeansAbsent) {
  EXPECT_EQ(describe_failure(kGet, answer(404, "<html>nginx</html>")).error.code(),
            ErrorCode::kInvalidArgument);
  FailedRequest head = kGet;
  head.method = "HEAD";
  EXPECT_EQ(describe_failure(head, answer(404)).error.code(), ErrorCode::kNotFound);
  head.key = "";
  EXPECT_EQ(describe_failure(head, answer(404)).error.code(), ErrorCode::kInvalidArgument);
}

TEST(S3Errors, AMessageNamesTheObjectTheRequestAndTheRemedy) {
  EXPECT_EQ(failure(403, "SignatureDoesNotMatch").error.message(),
            "GET s3://bucket/tenants/key: It says why. (SignatureDoesNotMatch, HTTP 403, request "
            "REQ1): check the access key and the secret key of profile 'backup'");
  EXPECT_THAT(failure(404, "NoSuchBucket").error.message(), HasSubstr("create bucket bucket"));
  EXPECT_THAT(failure(403, "AccessDenied").error.message(), HasSubstr("permission"));
  EXPECT_THAT(
      describe_failure(kGet, answer(403, "", {{"x-amz-request-id", "REQ2"}})).error.message(),
      HasSubstr("HTTP 403, request REQ2"));
  FailedRequest put = kGet;
  put.conditional = true;
  EXPECT_THAT(describe_failure(put, answer(501, document("NotImplemented"))).error.message(),
              HasSubstr("only if it is absent"));
}

TEST(S3Errors, TheServersTextFitsOneLine) {
  const auto error = describe_error(
      kGet, 400, {.code = "Odd", .message = "two\nlines\x1b[31m" + std::string(10'000, 'x')});
  EXPECT_EQ(error.message().find_first_of("\n\x1b"), std::string::npos);
  EXPECT_LT(error.message().size(), 500U);
}

TEST(S3Errors, TheServerSaysWhenToComeBack) {
  const auto delay = [](Headers headers) {
    return failure(503, "SlowDown", "", std::move(headers)).error.retry_after();
  };
  EXPECT_EQ(delay({{"retry-after", "7"}}), std::chrono::seconds(7));
  EXPECT_EQ(delay({{"retry-after", "Sun, 06 Nov 1994 08:50:00 GMT"},
                   {"date", "Sun, 06 Nov 1994 08:49:37 GMT"}}),
            std::chrono::seconds(23));
  EXPECT_EQ(delay({}), std::nullopt);
  EXPECT_EQ(delay({{"retry-after", "soon"}}), std::nullopt);
  EXPECT_EQ(delay({{"retry-after", "-7"}}), std::nullopt);
}

TEST(S3Errors, WhatTheClientCanMendIsSaid) {
  EXPECT_EQ(failure(400, "ExpiredToken").repair, Repair::kCredentials);
  EXPECT_EQ(failure(403, "InvalidAccessKeyId").repair, Repair::kCredentials);
  EXPECT_EQ(failure(403, "AccessDenied").repair, Repair::kNone);
  EXPECT_EQ(failure(404, "NoSuchKey").repair, Repair::kNone);
}

TEST(S3Errors, AClockIsSetByTheDocumentOrElseTheDate) {
  const Failure said =
      failure(403, "RequestTimeTooSkewed", "<ServerTime>2026-11-22T03:00:00Z</ServerTime>",
              {{"date", "Sun, 06 Nov 1994 08:49:37 GMT"}});
  EXPECT_EQ(said.repair, Repair::kClock);
  EXPECT_EQ(said.server_time, Timestamp::parse("2026-11-22T03:00:00Z").value());
  const Failure dated =
      failure(403, "RequestTimeTooSkewed", "", {{"date", "Sun, 06 Nov 1994 08:49:37 GMT"}});
  EXPECT_EQ(dated.server_time, Timestamp::parse("1994-11-06T08:49:37Z").value());
  EXPECT_EQ(failure(403, "RequestTimeTooSkewed").repair, Repair::kNone);
}

TEST(S3Errors, ARedirectNamesTheOtherPlace) {
  const Failure permanent =
      failure(301, "PermanentRedirect", "<Endpoint>bucket.s3-eu-west-1.amazonaws.com</Endpoint>",
              {{"x-amz-bucket-region", "eu-west-1"}});
  EXPECT_EQ(permanent.repair, Repair::kPlace);
  EXPECT_EQ(permanent.region, "eu-west-1");
  EXPECT_EQ(permanent.host, "bucket.s3-eu-west-1.amazonaws.com");
  EXPECT_TRUE(permanent.permanent);

  const Failure temporary = describe_failure(
      kGet, answer(307, "", {{"location", "https://bucket.other.example.com/key?x=y"}}));
  EXPECT_EQ(temporary.repair, Repair::kPlace);
  EXPECT_EQ(temporary.host, "bucket.other.example.com");
  EXPECT_FALSE(temporary.permanent);

  const Failure region =
      failure(400, "AuthorizationHeaderMalformed", "<Region>eu-central-1</Region>");
  EXPECT_EQ(region.repair, Repair::kPlace);
  EXPECT_EQ(region.region, "eu-central-1");
  EXPECT_EQ(region.host, "");

  EXPECT_EQ(failure(301, "PermanentRedirect").repair, Repair::kNone);
}

TEST(S3Errors, W1_ThrottlingInTheDocumentOfASuccessIsThrottling) {
  EXPECT_EQ(describe_error(kGet, 0, {.code = "SlowDown"}).code(), ErrorCode::kThrottled);
  EXPECT_EQ(describe_error(kGet, 0, {.code = "SomethingNew"}).code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace varve::s3
