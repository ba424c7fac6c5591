#include "fs/system_user.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace varve {
namespace {

TEST(SystemUser, IsFoundByName) {
  const auto root = find_system_user("root");
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(root->user, 0U);
  EXPECT_EQ(root->group, 0U);
  const auto daemon = find_system_user("daemon");
  ASSERT_TRUE(daemon.ok());
  EXPECT_NE(daemon->user, 0U);
  EXPECT_NE(daemon->group, 0U);
}

TEST(SystemUser, ThatDoesNotExistIsNamedInTheError) {
  const auto nobody = find_system_user("nobody-of-that-name");
  ASSERT_TRUE(nobody.failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(nobody.error().message(), testing::HasSubstr("no user nobody-of-that-name"));
}

}  // namespace
}  // namespace varve
