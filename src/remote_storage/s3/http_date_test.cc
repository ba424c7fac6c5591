#include "remote_storage/s3/http_date.h"

#include <gtest/gtest.h>

namespace varve::s3 {
namespace {

TEST(S3HttpDate, TheFormOfTheStandardIsRead) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"),
            Timestamp::parse("1994-11-06T08:49:37Z").value());
  EXPECT_EQ(parse_http_date("Thu, 29 Feb 2024 23:59:59 GMT"),
            Timestamp::parse("2024-02-29T23:59:59Z").value());
}

TEST(S3HttpDate, AnythingElseIsNone) {
  for (const auto* text : {"", "120", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                           "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 31 Feb 1994 08:49:37 GMT",
                           "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT "}) {
    EXPECT_FALSE(parse_http_date(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace varve::s3
