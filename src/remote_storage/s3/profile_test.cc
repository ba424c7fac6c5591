#include "remote_storage/s3/profile.h"

#include <gmock/gmock.h>

#include "fs/temporary_directory.h"
#include "remote_storage/s3/aws_settings.h"
#include "remote_storage/s3/test_support/fake_environment.h"
#include "remote_storage/s3/test_support/write_file.h"

namespace varve::s3 {
namespace {

using testing::HasSubstr;
using testing::Not;

class ProfileTest : public testing::Test {
 protected:
  // The environment of a user whose home directory has these files.
  EnvironmentVariables with(Variables variables = {}) {
    variables.try_emplace("HOME", home_.path().string());
    return fake_environment(std::move(variables));
  }
  void config(std::string_view text) { write_file(home_ / ".aws/config", text); }
  void credentials(std::string_view text) { write_file(home_ / ".aws/credentials", text); }

  const TemporaryDirectory home_ = TemporaryDirectory::create().value();
};

TEST_F(ProfileTest, WithoutFilesThereIsNone) {
  const Profile profile = load_profile(with(), {}).value();
  EXPECT_FALSE(profile.found);
  EXPECT_EQ(profile.to_string(), fmt::format("profile 'default' of {0}/.aws/config and "
                                             "{0}/.aws/credentials",
                                             home_.path().string()));
  EXPECT_FALSE(load_profile(fake_environment({}), {}).value().found);
}

TEST_F(ProfileTest, IsTheOneThatIsAskedFor) {
  config("[default]\nregion=a\n[profile one]\nregion=b\n[profile two]\nregion=c\n");
  EXPECT_EQ(load_profile(with(), {})->value("region"), "a");
  EXPECT_EQ(load_profile(with({{"AWS_PROFILE", ""}}), {})->value("region"), "a");
  EXPECT_EQ(load_profile(with({{"AWS_PROFILE", "one"}}), {})->value("region"), "b");
  EXPECT_EQ(load_profile(with({{"AWS_PROFILE", "one"}}), "two")->value("region"), "c");
}

TEST_F(ProfileTest, ThePrefixStandsInTheConfigFileAlone) {
  config("[default]\nregion=a\n[profile default]\nregion=b\n[one]\nregion=c\n");
  credentials("[one]\naws_access_key_id=A\n[profile two]\naws_access_key_id=B\n");
  EXPECT_EQ(load_profile(with(), {})->value("region"), "b");
  EXPECT_EQ(load_profile(with(), "one")->value("region"), std::nullopt);
  EXPECT_EQ(load_profile(with(), "one")->value("aws_access_key_id"), "A");
  EXPECT_TRUE(load_profile(with(), "two").failed_with(ErrorCode::kInvalidArgument));
}

TEST_F(ProfileTest, OneThatWasAskedForAndIsAbsentIsAnErrorThatNamesIt) {
  config("[backup]\nregion=a\n");
  const auto absent = load_profile(with({{"AWS_PROFILE", "production"}}), {});
  ASSERT_TRUE(absent.failed_with(ErrorCode::kInvalidArgument));
  EXPECT_THAT(absent.error().message(), HasSubstr("there is no profile 'production' of "));
  EXPECT_THAT(load_profile(with(), "backup").error().message(), HasSubstr("[profile backup]"));
}

TEST_F(ProfileTest, KeysAreNotPutTogetherFromBothFiles) {
  config(
      "[default]\naws_access_key_id=C\naws_secret_access_key=c\naws_session_token=t\nregion=r\n");
  credentials("[default]\naws_access_key_id=K\naws_secret_access_key=k\n");
  const Profile profile = load_profile(with(), {}).value();
  EXPECT_EQ(profile.value("aws_access_key_id"), "K");
  EXPECT_EQ(profile.value("aws_secret_access_key"), "k");
  EXPECT_EQ(profile.value("aws_session_token"), std::nullopt);
  EXPECT_EQ(profile.value("region"), "r");
}

TEST_F(ProfileTest, FilesMayBeElsewhere) {
  write_file(home_ / "c", "[default]\nregion=x\n");
  write_file(home_ / "k", "[default]\naws_access_key_id=y\n");
  const Profile profile = load_profile(with({{"AWS_CONFIG_FILE", (home_ / "c").string()},
                                             {"AWS_SHARED_CREDENTIALS_FILE", "~/k"}}),
                                       {})
                              .value();
  EXPECT_EQ(profile.value("region"), "x");
  EXPECT_EQ(profile.value("aws_access_key_id"), "y");
}

TEST_F(ProfileTest, AFileThatCannotBeUsedIsAnErrorThatNamesIt) {
  const std::string file = write_file(home_ / ".aws/config", "[default]\nhush\n");
  const auto malformed = load_profile(with(), {});
  ASSERT_TRUE(malformed.failed_with(ErrorCode::kInvalidArgument));
  EXPECT_THAT(malformed.error().message(), HasSubstr(file + ", line 2"));
  EXPECT_THAT(malformed.error().message(), Not(HasSubstr("hush")));

  const auto directory = load_profile(with({{"AWS_CONFIG_FILE", home_.path().string()}}), {});
  EXPECT_THAT(directory.error().message(), HasSubstr("not a regular file"));
  write_file(home_ / "large", std::string((1 << 20) + 1, 'x'));
  EXPECT_THAT(
      load_profile(with({{"AWS_CONFIG_FILE", (home_ / "large").string()}}), {}).error().message(),
      HasSubstr("longer than"));
}

TEST_F(ProfileTest, SettingsComeFromTheFirstPlaceThatHasThem) {
  EXPECT_EQ(aws_settings(with()).value(), AwsSettings());
  config(
      "[default]\nregion=r1\nendpoint_url=http://e1\n"
      "[profile s]\nregion=r2\nendpoint_url=http://e2\nservices=all\n"
      "[services all]\ns3=\n  endpoint_url=http://e3/s3\nsts=\n  endpoint_url=http://e4\n");
  EXPECT_EQ(aws_settings(with()).value(), (AwsSettings{.region = "r1", .endpoint = "http://e1"}));
  EXPECT_EQ(aws_settings(with(), "s").value(),
            (AwsSettings{.region = "r2", .endpoint = "http://e3/s3", .sts_endpoint = "http://e4"}));
  EXPECT_EQ(
      aws_settings(with({{"AWS_PROFILE", "s"},
                         {"AWS_DEFAULT_REGION", "r5"},
                         {"AWS_ENDPOINT_URL", "https://e5:1"},
                         {"AWS_ENDPOINT_URL_STS", "https://e6"}}))
          .value(),
      (AwsSettings{.region = "r5", .endpoint = "https://e5:1", .sts_endpoint = "https://e6"}));
  EXPECT_EQ(aws_settings(with({{"AWS_DEFAULT_REGION", "r5"},
                               {"AWS_REGION", "r7"},
                               {"AWS_ENDPOINT_URL", "https://e5"},
                               {"AWS_ENDPOINT_URL_S3", "https://e7"}}))
                .value(),
            (AwsSettings{.region = "r7", .endpoint = "https://e7"}));
  EXPECT_EQ(aws_settings(with({{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"},
                               {"AWS_ENDPOINT_URL", "https://e5"}}))
                .value(),
            (AwsSettings{.region = "r1"}));
}

TEST_F(ProfileTest, SettingsThatMakeNoSenseNameTheirPlaceAndNotTheirValue) {
  config("[profile bad]\nregion=hush/x\n");
  const auto message = [&](Variables variables) {
    const auto settings = aws_settings(with(std::move(variables)));
    EXPECT_TRUE(settings.failed_with(ErrorCode::kInvalidArgument));
    EXPECT_THAT(settings.error().message(), Not(HasSubstr("hush")));
    return settings.error().message();
  };
  EXPECT_THAT(message({{"AWS_PROFILE", "bad"}}), HasSubstr("region in profile 'bad' of "));
  EXPECT_THAT(message({{"AWS_REGION", "hush.example"}}), HasSubstr("AWS_REGION must be"));
  EXPECT_THAT(message({{"AWS_ENDPOINT_URL_S3", "https://user:hush@host"}}),
              HasSubstr("AWS_ENDPOINT_URL_S3: expected a URL"));
  EXPECT_THAT(message({{"AWS_ENDPOINT_URL", "https://host/?hush"}}),
              HasSubstr("AWS_ENDPOINT_URL must be a URL without a '?'"));
}

}  // namespace
}  // namespace varve::s3
