#include "remote_storage/s3/http.h"

#include <gtest/gtest.h>

namespace varve::s3 {
namespace {

TEST(FindHeader, GivesTheFirstOfThatName) {
  const Headers headers{{"date", "today"}, {"etag", "\"1\""}, {"etag", "\"2\""}, {"empty", ""}};
  EXPECT_EQ(find_header(headers, "etag"), "\"1\"");
  EXPECT_EQ(find_header(headers, "empty"), "");
  EXPECT_EQ(find_header(headers, "eta"), std::nullopt);
  EXPECT_EQ(find_header({}, "etag"), std::nullopt);
}

}  // namespace
}  // namespace varve::s3
