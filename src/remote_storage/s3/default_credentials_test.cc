#include "remote_storage/s3/default_credentials.h"

#include <gmock/gmock.h>

#include "fs/temporary_directory.h"
#include "remote_storage/s3/test_support/fake_environment.h"
#include "remote_storage/s3/test_support/fake_transport.h"
#include "remote_storage/s3/test_support/write_file.h"

namespace varve::s3 {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A machine on which every source may be set up, one after the other, from the last to the first.
class DefaultCredentials : public testing::Test {
 protected:
  Result<std::unique_ptr<CredentialsProvider>> make(std::optional<std::string> profile = {}) {
    return default_credentials({.environment = fake_environment(variables_),
                                .transport = &transport_,
                                .clock = &clock_,
                                .profile = std::move(profile)});
  }
  // The source of the credentials, or why there are none.
  std::string source(std::optional<std::string> profile = {}) {
    const auto provider = make(std::move(profile)).value();
    const auto credentials = provider->get({});
    return credentials.ok() ? provider->source() : credentials.error().message();
  }

  Result<HttpResponse> answer(const SentRequest& request) const {
    if (request.url.starts_with("https://sts.")) return response(sts_status_, "hush");
    if (request.url.starts_with("http://169.254.169.254") && !on_instance_) {
      return make_error(ErrorCode::kUnavailable, "no route");
    }
    if (request.method == "PUT") return response(200, "token-hush");
    if (request.url.ends_with("security-credentials/")) return response(200, "role");
    return response(200, R"({"AccessKeyId": "I", "SecretAccessKey": "hush", "Token": "hush",
                             "Expiration": "2026-11-22T08:00:00Z"})");
  }

  const TemporaryDirectory home_ = TemporaryDirectory::create().value();
  ManualClock clock_;
  FakeTransport transport_{[this](const SentRequest& request) { return answer(request); }, clock_};
  Variables variables_{{"HOME", home_.path().string()}};
  bool on_instance_ = false;
  int sts_status_ = 403;
};

TEST_F(DefaultCredentials, WithoutAnyEverySourceIsNamedWithItsReason) {
  const auto provider = make().value();
  EXPECT_THAT(transport_.sent(), IsEmpty());
  const auto credentials = provider->get({});
  ASSERT_TRUE(credentials.failed_with(ErrorCode::kDenied));
  EXPECT_THAT(credentials.error().message(),
              AllOf(HasSubstr("AWS_ACCESS_KEY_ID is not set"),
                    HasSubstr("AWS_WEB_IDENTITY_TOKEN_FILE is not set"),
                    HasSubstr("there is no profile 'default'"),
                    HasSubstr("AWS_CONTAINER_CREDENTIALS_FULL_URI is set"),
                    HasSubstr("169.254.169.254 does not answer: no route"),
                    HasSubstr("VARVE_S3_ANONYMOUS=true")));
}

TEST_F(DefaultCredentials, SourcesAreAskedInTheOrderOfTheSdks) {
  on_instance_ = true;
  EXPECT_EQ(source(), "role role of this instance");
  variables_["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/x";
  EXPECT_EQ(source(), "the container service at 169.254.170.2");
  write_file(home_ / ".aws/credentials",
             "[default]\naws_access_key_id=A\naws_secret_access_key=hush\n");
  EXPECT_THAT(source(), HasSubstr("profile 'default'"));
  variables_["AWS_WEB_IDENTITY_TOKEN_FILE"] = write_file(home_ / "token", "hush");
  variables_["AWS_ROLE_ARN"] = "arn";
  EXPECT_THAT(source(), HasSubstr("credentials of arn from sts.amazonaws.com"));
  variables_["AWS_ACCESS_KEY_ID"] = "A";
  variables_["AWS_SECRET_ACCESS_KEY"] = "hush";
  EXPECT_EQ(source(), "the environment");
}

TEST_F(DefaultCredentials, ASourceThatIsSetUpAndFailsIsNotPassedOver) {
  on_instance_ = true;
  variables_["AWS_WEB_IDENTITY_TOKEN_FILE"] = write_file(home_ / "token", "hush");
  variables_["AWS_ROLE_ARN"] = "arn";
  sts_status_ = 503;
  EXPECT_TRUE(make().value()->get({}).failed_with(ErrorCode::kUnavailable));
  variables_.erase("AWS_ROLE_ARN");
  EXPECT_TRUE(make().value()->get({}).failed_with(ErrorCode::kDenied));
}

TEST_F(DefaultCredentials, AProfileThatIsAskedForIsTheOnlySource) {
  variables_["AWS_ACCESS_KEY_ID"] = "E";
  variables_["AWS_SECRET_ACCESS_KEY"] = "hush";
  write_file(home_ / ".aws/credentials",
             "[backup]\naws_access_key_id=A\naws_secret_access_key=hush\n");
  EXPECT_THAT(source("backup"), HasSubstr("profile 'backup'"));
  EXPECT_THAT(source("other"), HasSubstr("there is no profile 'other'"));
  EXPECT_THAT(transport_.sent(), IsEmpty());
}

TEST_F(DefaultCredentials, AnonymousIsWithoutCredentialsWhateverIsSet) {
  variables_["AWS_ACCESS_KEY_ID"] = "E";
  variables_["AWS_SECRET_ACCESS_KEY"] = "hush";
  variables_["VARVE_S3_ANONYMOUS"] = "true";
  const auto provider = make().value();
  EXPECT_EQ(provider->get({}).value(), std::nullopt);
  provider->reject({.access_key_id = "E"});
  EXPECT_EQ(provider->source(), "anonymous access");

  variables_["VARVE_S3_ANONYMOUS"] = "false";
  EXPECT_EQ(source(), "the environment");
  variables_["VARVE_S3_ANONYMOUS"] = "";
  EXPECT_EQ(source(), "the environment");
  variables_["VARVE_S3_ANONYMOUS"] = "yes";
  const auto neither = make();
  ASSERT_TRUE(neither.failed_with(ErrorCode::kInvalidArgument));
  EXPECT_THAT(neither.error().message(), HasSubstr("VARVE_S3_ANONYMOUS is 'yes'"));

  variables_.erase("VARVE_S3_ANONYMOUS");
  const auto by_option = default_credentials({.environment = fake_environment(variables_),
                                              .transport = &transport_,
                                              .clock = &clock_,
                                              .anonymous = true});
  EXPECT_EQ(by_option.value()->get({}).value(), std::nullopt);
}

TEST_F(DefaultCredentials, KeysReplacedInTheFileAreFoundAfterARejection) {
  const auto file = home_ / ".aws/credentials";
  write_file(file, "[default]\naws_access_key_id=A\naws_secret_access_key=hush\n");
  const auto provider = make().value();
  const auto old = provider->get({}).value();
  write_file(file, "[default]\naws_access_key_id=B\naws_secret_access_key=hush\n");
  EXPECT_EQ(provider->get({}).value()->access_key_id, "A");
  provider->reject(*old);
  EXPECT_EQ(provider->get({}).value()->access_key_id, "B");
}

// Every message of every failure, and what a source is called, with secrets wherever one can be.
TEST_F(DefaultCredentials, NoMessageShowsASecret) {
  const std::string token = write_file(home_ / "token", "token-hush");
  const std::string two_lines = write_file(home_ / "two-lines", "token-hush\nhush");
  const std::string no_keys = write_file(home_ / "no-keys", "[default]\nhush\n");
  const std::string half =
      write_file(home_ / "half", "[default]\naws_secret_access_key=hush hush\n");
  const std::string blank = write_file(
      home_ / "blank", "[default]\naws_access_key_id=a\naws_secret_access_key=hush hush\n");
  const std::string process =
      write_file(home_ / "process", "[default]\ncredential_process=get --password hush\n");
  const std::vector<Variables> environments{
      {{"AWS_SECRET_ACCESS_KEY", "hush"}},
      {{"AWS_ACCESS_KEY_ID", "hush hush"}, {"AWS_SECRET_ACCESS_KEY", "hush"}},
      {{"AWS_ACCESS_KEY_ID", "A"}, {"AWS_SECRET_ACCESS_KEY", "hush\n"}},
      {{"AWS_ACCESS_KEY_ID", "A"}, {"AWS_SECRET_ACCESS_KEY", "s"}, {"AWS_SESSION_TOKEN", "hush "}},
      {{"AWS_ACCESS_KEY_ID", "A"}, {"AWS_SECRET_ACCESS_KEY", "hush"}},
      {{"AWS_SHARED_CREDENTIALS_FILE", no_keys}},
      {{"AWS_SHARED_CREDENTIALS_FILE", half}},
      {{"AWS_SHARED_CREDENTIALS_FILE", blank}},
      {{"AWS_SHARED_CREDENTIALS_FILE", process}},
      {{"AWS_WEB_IDENTITY_TOKEN_FILE", token}},
      {{"AWS_WEB_IDENTITY_TOKEN_FILE", token}, {"AWS_ROLE_ARN", "arn"}},
      {{"AWS_WEB_IDENTITY_TOKEN_FILE", two_lines}, {"AWS_ROLE_ARN", "arn"}},
      {{"AWS_WEB_IDENTITY_TOKEN_FILE", token},
       {"AWS_ROLE_ARN", "arn"},
       {"AWS_ENDPOINT_URL_STS", "https://user:hush@host"}},
      {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/hush"}},
      {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "hush"}},
      {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example/hush"}},
      {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://user:hush@host/"}},
      {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://host/hush"},
       {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "hush\n"}},
      {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://host/hush"},
       {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", two_lines}},
      {{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://user:hush@host"}},
      {{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://host"}},
  };
  const std::vector<HttpResponse> answers{
      response(200, "<html>hush</html>"),
      response(200, R"({"SecretAccessKey": "hush"})"),
      response(200, R"({"AccessKeyId": "a", "SecretAccessKey": "hush hush"})"),
      response(200, R"({"AccessKeyId": "a", "SecretAccessKey": "hush", "Token": "hush"})"),
      response(200, R"({"AccessKeyId": "a", "SecretAccessKey": "hush", "Expiration": "hush"})"),
      response(200, R"({"Code": "not hush"})"),
      response(200, "<AssumeRoleWithWebIdentityResponse>hush"),
      response(400,
               "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>token-hush"
               "</Message></Error></ErrorResponse>"),
      response(403, "hush"),
      response(503, "hush"),
  };
  int failures = 0;
  for (const Variables& environment : environments) {
    for (const HttpResponse& sent : answers) {
      FakeTransport transport([&](const SentRequest&) { return sent; }, clock_);
      const auto provider = default_credentials({.environment = fake_environment(environment),
                                                 .transport = &transport,
                                                 .clock = &clock_})
                                .value();
      const auto credentials = provider->get({});
      EXPECT_THAT(provider->source(), Not(HasSubstr("hush")));
      if (credentials.ok()) continue;
      ++failures;
      EXPECT_THAT(credentials.error().message(), Not(HasSubstr("hush")));
    }
  }
  EXPECT_GT(failures, 150) << "most of them should have failed";
}

TEST(ProcessEnvironment, IsThatOfTheProcess) {
  EXPECT_TRUE(value_of(process_environment(), "PATH").has_value());
  EXPECT_EQ(value_of(process_environment(), "VARVE_A_VARIABLE_THAT_NOBODY_SETS"), std::nullopt);
  EXPECT_EQ(value_of(fake_environment({{"EMPTY", ""}}), "EMPTY"), std::nullopt);
}

}  // namespace
}  // namespace varve::s3
