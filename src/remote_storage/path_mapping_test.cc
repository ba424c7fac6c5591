#include "remote_storage/path_mapping.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

TEST(PathMapping, S1_AFileBelowTheWorkDirectoryHasItsRelativePathAsKey) {
  EXPECT_EQ(object_key_of_path("/work", "/work/tenants/a/metadata").value(), "tenants/a/metadata");
  EXPECT_EQ(object_key_of_path("/work/", "/work//tenants/./a/").value(), "tenants/a");
  EXPECT_EQ(object_key_of_path("data", "data/file").value(), "file");
  EXPECT_EQ(object_key_of_path("/", "/file").value(), "file");
}

TEST(PathMapping, S1_APathOutsideOfTheWorkDirectoryHasNoKey) {
  for (const char* path : {"/work", "/work/", "/worker/file", "/other/file", "/", "work/file",
                           "relative", "", "/work/../etc/passwd", "/work/a/../b", "../work/file"}) {
    EXPECT_TRUE(object_key_of_path("/work", path).failed_with(ErrorCode::kInvalidArgument)) << path;
  }
  EXPECT_TRUE(
      object_key_of_path("/work/..", "/work/../file").failed_with(ErrorCode::kInvalidArgument));
  EXPECT_TRUE(object_key_of_path("/work", "/work/\xFF").failed_with(ErrorCode::kInvalidArgument));
}

TEST(PathMapping, S1_AKeyHasAPathBelowTheWorkDirectory) {
  EXPECT_EQ(path_of_object_key("/work", "tenants/a").value(), "/work/tenants/a");
  for (const char* key : {"", "/etc/passwd", "..", "../etc", "a/../../b", "a//b", "a/"}) {
    EXPECT_TRUE(path_of_object_key("/work", key).failed_with(ErrorCode::kInvalidArgument)) << key;
  }
}

TEST(PathMapping, S1_ThereAndBackIsTheSame) {
  const auto path = path_of_object_key("/work", "tenants/\xC3\xBC/x y").value();
  EXPECT_EQ(object_key_of_path("/work", path).value(), "tenants/\xC3\xBC/x y");
}

}  // namespace
}  // namespace varve
