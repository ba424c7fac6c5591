// What only a real server shows; needs $VARVE_TEST_S3_URL, as the contract of storages does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/random.h"
#include "remote_storage/streams.h"
#include "remote_storage/url.h"

namespace varve::s3 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RealS3Test : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* url = std::getenv("VARVE_TEST_S3_URL");
    if (url == nullptr) GTEST_SKIP() << "VARVE_TEST_S3_URL is not set";
    location_ = std::get<S3Location>(parse_remote_url(url).value());
    root_ = fmt::format("real/{:016x}", system_random().next());
  }

  std::unique_ptr<RemoteStorage> open(std::string_view prefix) {
    S3Location location = location_;
    location.prefix = fmt::format("{}/{}", root_, prefix);
    return open_remote_storage(to_url(location)).value();
  }
  static std::vector<std::string> keys(RemoteStorage& storage) {
    std::vector<std::string> found;
    const auto objects = list_all(storage, "", {}).value();
    for (const ObjectInfo& object : objects) found.push_back(object.key);
    return found;
  }

  S3Location location_;
  std::string root_;
};

TEST_F(RealS3Test, S3_PrefixesOfOneBucketNeverSeeEachOther) {
  const auto a = open("a");
  const auto ab = open("ab");
  ASSERT_TRUE(a->put("b/key", as_bytes("of a"), PutCondition::kIfAbsent, {}).ok());
  ASSERT_TRUE(ab->put("key", as_bytes("of ab"), PutCondition::kIfAbsent, {}).ok());
  const auto upload = ab->start_multipart("pack", 5 << 20, {}).value();
  EXPECT_THAT(keys(*a), ElementsAre("b/key"));
  EXPECT_THAT(keys(*ab), ElementsAre("key"));
  EXPECT_THAT(a->list_uploads("", "", {})->uploads, IsEmpty());
  EXPECT_EQ(ab->list_uploads("", "", {})->uploads.size(), 1U);
  EXPECT_TRUE(a->head("key", {}).failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(a->remove({"key", "b/key"}, {}).value(), IsEmpty());
  EXPECT_EQ(as_text(get_bytes(*ab, "key", ByteRange::whole(), 10, {}).value()), "of ab");
}

TEST_F(RealS3Test, W1_ABucketThatIsNotThereIsNoMissingObject) {
  location_.bucket = "absent-bucket-of-a-test";
  const auto storage = open("a");
  const auto refused = [](const auto& result) {
    ASSERT_TRUE(result.failed_with(ErrorCode::kInvalidArgument));
    EXPECT_THAT(result.error().message(), HasSubstr("create bucket absent-bucket-of-a-test"));
  };
  refused(storage->head("key", {}));
  refused(get_bytes(*storage, "key", ByteRange::whole(), 10, {}));
  refused(storage->list("", "", {}));
  refused(storage->put("key", {}, PutCondition::kIfAbsent, {}));
}

TEST_F(RealS3Test, S1_KeysOfEveryCharacterAreKeptAndRemoved) {
  const auto storage = open("odd");
  std::vector<std::string> odd;
  for (char c = 1; c > 0; ++c) {
    if (c != '/') odd.push_back(fmt::format("key{}.", c));
  }
  for (const std::string& key : odd) {
    ASSERT_TRUE(storage->put(key, as_bytes(key), PutCondition::kIfAbsent, {}).ok()) << key;
  }
  EXPECT_EQ(keys(*storage), odd);
  EXPECT_THAT(storage->remove(odd, {}).value(), IsEmpty());
  EXPECT_THAT(keys(*storage), IsEmpty());
}

}  // namespace
}  // namespace varve::s3
