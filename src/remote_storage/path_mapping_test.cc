#include "remote_storage/path_mapping.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

TEST(PathMapping, S1_AFileBelowTheWorkDirectoryHasItsRelativePathAsKey) {
  EXPECT_EQ(object_key_of_path("/srv", "/srv/tenants/a/metadata").value(), "tenants/a/metadata");
  EXPECT_EQ(object_key_of_path("/srv/", "/srv//tenants/./a/").value(), "tenants/a");
  EXPECT_EQ(object_key_of_path("data", "data/file").value(), "file");
  EXPECT_EQ(object_key_of_path("/", "/file").value(), "file");
}

TEST(PathMapping, S1_APathOutsideOfTheWorkDirectoryHasNoKey) {
  for (const char* path : {"/srv", "/srv/", "/srv2/file", "/other/file", "/", "srv/file",
                           "relative", "", "/srv/../etc/passwd", "/srv/a/../b", "../srv/file"}) {
    EXPECT_TRUE(object_key_of_path("/srv", path).failed_with(ErrorCode::kInvalidArgument)) << path;
  }
  EXPECT_TRUE(
      object_key_of_path("/srv/..", "/srv/../file").failed_with(ErrorCode::kInvalidArgument));
  EXPECT_TRUE(object_key_of_path("/srv", "/srv/\xFF").failed_with(ErrorCode::kInvalidArgument));
}

TEST(PathMapping, S1_AKeyHasAPathBelowTheWorkDirectory) {
  EXPECT_EQ(path_of_object_key("/srv", "tenants/a").value(), "/srv/tenants/a");
  for (const char* key : {"", "/etc/passwd", "..", "../etc", "a/../../b", "a//b", "a/"}) {
    EXPECT_TRUE(path_of_object_key("/srv", key).failed_with(ErrorCode::kInvalidArgument)) << key;
  }
}

TEST(PathMapping, S1_ThereAndBackIsTheSame) {
  const auto path = path_of_object_key("/srv", "tenants/\xC3\xBC/x y").value();
  EXPECT_EQ(object_key_of_path("/srv", path).value(), "tenants/\xC3\xBC/x y");
}

}  // namespace
}  // namespace varve
