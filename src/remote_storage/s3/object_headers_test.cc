#include "remote_storage/s3/object_headers.h"

#include <gtest/gtest.h>

namespace varve::s3 {
namespace {

HttpResponse with(std::string name, std::string value) {
  return {.status = 200, .headers = {{std::move(name), std::move(value)}}};
}

TEST(S3ObjectHeaders, AContentRangeIsRead) {
  const auto range = content_range(with("content-range", "bytes 2-4/10")).value();
  EXPECT_EQ(range.start, 2U);
  EXPECT_EQ(range.size, 3U);
  EXPECT_EQ(range.object_size, 10U);
}

TEST(S3ObjectHeaders, AMalformedContentRangeIsCorrupted) {
  for (const auto* value :
       {"", "2-4/10", "bytes 4-2/10", "bytes 2-10/10", "bytes 2-4/*", "bytes */10", "bytes 2-4/10 ",
        "bytes -2-4/10", "bytes 0-1/99999999999999999999999"}) {
    EXPECT_TRUE(content_range(with("content-range", value)).failed_with(ErrorCode::kCorrupted))
        << value;
  }
  EXPECT_TRUE(content_range({}).failed_with(ErrorCode::kCorrupted));
}

TEST(S3ObjectHeaders, ALengthIsANumber) {
  EXPECT_EQ(content_length(with("content-length", "5368709120")).value(), 5368709120U);
  EXPECT_TRUE(content_length(with("content-length", "5x")).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(content_length({}).failed_with(ErrorCode::kCorrupted));
}

TEST(S3ObjectHeaders, AnETagIsAnMd5OnlyWithoutKeysOfKms) {
  const std::string md5 = "\"" + std::string(32, 'a') + "\"";
  HttpResponse response = with("etag", md5);
  EXPECT_TRUE(has_md5_etag(response));
  response.headers.emplace_back("x-amz-server-side-encryption", "AES256");
  EXPECT_TRUE(has_md5_etag(response));
  response.headers.back().second = "aws:kms";
  EXPECT_FALSE(has_md5_etag(response));
  EXPECT_FALSE(has_md5_etag(with("etag", "\"" + std::string(32, 'a') + "-2\"")));
  EXPECT_FALSE(has_md5_etag({}));
}

}  // namespace
}  // namespace varve::s3
