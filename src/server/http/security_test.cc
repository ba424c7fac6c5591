#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "fs/directory.h"
#include "fs/temporary_directory.h"
#include "server/http/request_checks.h"
#include "server/http/token.h"

namespace varve::http {
namespace {

constexpr char kToken[] = "0123456789abcdef";

int status_of_refusal(const Route& route, const RequestHead& head, const Security& security) {
  const auto refused = refuse(route, head, security);
  return refused ? refused->status : 0;
}

const Route kShow{.method = "GET", .path = "/x", .handler = {}};
const Route kChange{.method = "POST", .path = "/x", .handler = {}};
const Route kProbe{.method = "GET", .path = "/x", .handler = {}, .access = Access::kAnybody};

TEST(RequestChecks, WithATokenOnlyThatIsLetIn) {
  const Security security{.token = kToken};
  for (const char* good : {"Bearer 0123456789abcdef", "bearer 0123456789abcdef"}) {
    EXPECT_EQ(status_of_refusal(kShow, {.authorization = good}, security), 0) << good;
  }
  for (const char* bad :
       {"", "Bearer", "Bearer ", "Bearer 0123456789abcdeF", "Bearer 0123456789abcdef0",
        "Bearer 0123456789abcde", "Basic 0123456789abcdef", "0123456789abcdef",
        "Bearer  0123456789abcdef"}) {
    EXPECT_EQ(status_of_refusal(kShow, {.authorization = bad}, security), 401) << bad;
  }
  EXPECT_EQ(status_of_refusal(kProbe, {}, security), 0);
  // A name of the server is no matter where a token is asked for.
  EXPECT_EQ(
      status_of_refusal(kShow, {.authorization = "Bearer 0123456789abcdef", .host = "db.example"},
                        security),
      0);
}

TEST(RequestChecks, WithoutATokenAPageOfAnotherHostIsKeptOut) {
  for (const char* own :
       {"127.0.0.1:9898", "127.0.0.1", "localhost", "localhost:1", "[::1]:9898", "[::1]"}) {
    EXPECT_EQ(status_of_refusal(kShow, {.host = own}, {}), 0) << own;
  }
  for (const char* other : {"", "attacker.example", "attacker.example:9898",
                            "127.0.0.1.attacker.example", "localhost.attacker.example"}) {
    EXPECT_EQ(status_of_refusal(kShow, {.host = other}, {}), 403) << other;
    EXPECT_EQ(status_of_refusal(kProbe, {.host = other}, {}), 403) << other;
  }
}

TEST(RequestChecks, AChangeIsSentAsJsonWhichAPageMayNotDo) {
  const auto status = [](const char* type) {
    return status_of_refusal(kChange, {.host = "localhost", .content_type = type}, {});
  };
  EXPECT_EQ(status("application/json"), 0);
  EXPECT_EQ(status("application/json; charset=utf-8"), 0);
  for (const char* simple :
       {"", "text/plain", "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json", "text/plain; application/json"}) {
    EXPECT_EQ(status(simple), 415) << simple;
  }
}

class TokenFileTest : public testing::Test {
 protected:
  Result<std::string> read(const std::string& content, mode_t mode = 0600) {
    EXPECT_TRUE(write_file_atomically(path_, as_bytes(content), mode).ok());
    EXPECT_EQ(chmod(path_.c_str(), mode), 0);
    return read_token_file(path_);
  }
  TemporaryDirectory directory_ = *TemporaryDirectory::create();
  std::filesystem::path path_ = directory_.path() / "token";
};

TEST_F(TokenFileTest, HoldsATokenPerhapsWithAnEndOfLine) {
  for (const char* end : {"", "\n", "\r\n"}) {
    const auto token = read(std::string(kToken) + end, 0400);
    ASSERT_TRUE(token.ok());
    EXPECT_EQ(*token, kToken);
  }
  const std::string longest(1024, 'x');
  EXPECT_EQ(*read(longest + "\n"), longest);
}

TEST_F(TokenFileTest, WhatIsNoTokenIsRefused) {
  for (const std::string& content :
       {std::string(), std::string("\n"), std::string("0123456789abcde"), std::string(1025, 'x'),
        std::string(100'000, 'x'), std::string("0123456789 abcdef"),
        std::string("0123456789abcdef\n0123456789abcdef"), std::string(" 0123456789abcdef"),
        std::string("0123456789abcdef\0", 17), std::string("0123456789abcdef\xc3\xbc")}) {
    EXPECT_TRUE(read(content).failed_with(ErrorCode::kInvalidArgument)) << content;
  }
  EXPECT_TRUE(read_token_file(directory_.path() / "other").failed_with(ErrorCode::kNotFound));
}

TEST_F(TokenFileTest, OneThatOthersCanReadIsRefused) {
  for (const mode_t mode : {0640, 0604, 0620, 0601}) {
    EXPECT_TRUE(read(kToken, mode).failed_with(ErrorCode::kDenied)) << mode;
  }
}

}  // namespace
}  // namespace varve::http
