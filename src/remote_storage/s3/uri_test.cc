#include "remote_storage/s3/uri.h"

#include <gmock/gmock.h>

namespace varve::s3 {
namespace {

TEST(Uri, EncodesEverythingButTheUnreserved) {
  EXPECT_EQ(uri_encode("AZaz09-._~", Slash::kEncoded), "AZaz09-._~");
  EXPECT_EQ(uri_encode("a b+c/%\xff*", Slash::kEncoded), "a%20b%2Bc%2F%25%FF%2A");
  EXPECT_EQ(uri_encode("a/b//c", Slash::kKept), "a/b//c");
  EXPECT_EQ(uri_encode(std::string_view("\0", 1), Slash::kKept), "%00");
}

TEST(Uri, DecodingIsTheInverse) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte.push_back(static_cast<char>(byte));
  EXPECT_EQ(uri_decode(uri_encode(every_byte, Slash::kEncoded)), every_byte);
  EXPECT_EQ(decode_listed(uri_encode(every_byte, Slash::kKept)).value(), every_byte);
  EXPECT_EQ(uri_decode("%e6%B0%b4+%%4%zz%4"), "水+%%4%zz%4");
}

TEST(Uri, AListedPlusIsABlank) {
  EXPECT_EQ(decode_listed("a+b%2Bc%20d").value(), "a b+c d");
  for (const std::string_view broken : {"%", "a%2", "%zz", "%%41"}) {
    EXPECT_TRUE(decode_listed(broken).failed_with(ErrorCode::kCorrupted)) << broken;
  }
}

TEST(Uri, AUrlIsSplit) {
  const UrlParts parts = split_url("https://[fd00:ec2::254]:8443/a/b?c=d?e").value();
  EXPECT_EQ(parts.scheme, "https");
  EXPECT_EQ(parts.authority, "[fd00:ec2::254]:8443");
  EXPECT_EQ(parts.host(), "fd00:ec2::254");
  EXPECT_EQ(parts.path, "/a/b");
  EXPECT_EQ(parts.query, "c=d?e");

  const UrlParts bare = split_url("http://host?list").value();
  EXPECT_EQ(bare.host(), "host");
  EXPECT_EQ(bare.path, "/");
  EXPECT_EQ(bare.query, "list");
}

TEST(Uri, WhatIsNoHttpUrlIsRefused) {
  for (const std::string_view url :
       {"", "host", "ftp://host/", "https://", "https://:80/", "https:///path", "https://a@b/",
        "https://host/a b", "https://host/#a", "https://host/\n", "https://[::1/", "https://::1]/",
        "https://[]/", "https://host\\@other/"}) {
    EXPECT_TRUE(split_url(url).failed_with(ErrorCode::kInvalidArgument)) << url;
  }
}

}  // namespace
}  // namespace varve::s3
