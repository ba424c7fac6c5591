// What each source takes its credentials from, and how it fails.
#include <gmock/gmock.h>

#include "fs/temporary_directory.h"
#include "remote_storage/s3/credentials_container.h"
#include "remote_storage/s3/credentials_environment.h"
#include "remote_storage/s3/credentials_instance.h"
#include "remote_storage/s3/credentials_profile.h"
#include "remote_storage/s3/credentials_web_identity.h"
#include "remote_storage/s3/test_support/fake_environment.h"
#include "remote_storage/s3/test_support/fake_transport.h"
#include "remote_storage/s3/test_support/write_file.h"

namespace varve::s3 {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Timestamp at(std::string_view text) {
  return Timestamp::parse(text).value();
}

constexpr std::string_view kJson = R"({"Code": "Success", "Type": "AWS-HMAC",
    "AccessKeyId": "ID", "SecretAccessKey": "secret/hush", "Token": "token/hush",
    "Expiration": "2026-11-22T08:00:00Z"})";

const Credentials kTemporary{.access_key_id = "ID",
                             .secret_access_key = "secret/hush",
                             .session_token = "token/hush",
                             .expires_at = at("2026-11-22T08:00:00Z")};

class CredentialsSourceTest : public testing::Test {
 protected:
  // The options of a machine with this environment, whose services answer with `answer_`.
  CredentialsOptions with(Variables variables) {
    variables.try_emplace("HOME", home_.path().string());
    return {.environment = fake_environment(std::move(variables)),
            .transport = &transport_,
            .clock = &clock_};
  }

  template <typename Source>
  Result<FetchedCredentials> fetch(Variables variables) {
    return Source(with(std::move(variables))).fetch({});
  }
  // The message of a source that must fail so; it never shows a secret.
  template <typename Source>
  std::string refusal(ErrorCode code, Variables variables) {
    const auto fetched = fetch<Source>(std::move(variables));
    EXPECT_TRUE(fetched.failed_with(code))
        << (fetched.ok() ? "it succeeds" : fetched.error().message());
    if (fetched.ok()) return "";
    EXPECT_THAT(fetched.error().message(), Not(HasSubstr("hush")));
    return fetched.error().message();
  }

  const TemporaryDirectory home_ = TemporaryDirectory::create().value();
  ManualClock clock_;
  FakeTransport::Answer answer_ = [](const SentRequest&) -> Result<HttpResponse> {
    return make_error(ErrorCode::kUnavailable, "no connection");
  };
  FakeTransport transport_{[this](const SentRequest& request) { return answer_(request); }, clock_};
};

class EnvironmentCredentialsTest : public CredentialsSourceTest {
 protected:
  static Result<FetchedCredentials> of(Variables variables) {
    return EnvironmentCredentials(fake_environment(std::move(variables))).fetch({});
  }
};

TEST_F(EnvironmentCredentialsTest, HasKeysWithOrWithoutToken) {
  const auto fetched = of({{"AWS_ACCESS_KEY_ID", "ID"}, {"AWS_SECRET_ACCESS_KEY", "s"}}).value();
  EXPECT_EQ(fetched.credentials, (Credentials{.access_key_id = "ID", .secret_access_key = "s"}));
  EXPECT_EQ(fetched.source, "the environment");
  EXPECT_EQ(
      of({{"AWS_ACCESS_KEY_ID", "ID"}, {"AWS_SECRET_ACCESS_KEY", "s"}, {"AWS_SESSION_TOKEN", "t"}})
          ->credentials->session_token,
      "t");
}

TEST_F(EnvironmentCredentialsTest, WithoutKeysThereAreNone) {
  for (const Variables& variables :
       {Variables{}, Variables{{"AWS_ACCESS_KEY_ID", ""}}, Variables{{"AWS_SESSION_TOKEN", "t"}}}) {
    const auto fetched = of(variables).value();
    EXPECT_FALSE(fetched.credentials.has_value());
    EXPECT_THAT(fetched.absence, HasSubstr("AWS_ACCESS_KEY_ID is not set"));
  }
}

TEST_F(EnvironmentCredentialsTest, HalfOfTheKeysIsAnErrorThatNamesTheOther) {
  EXPECT_THAT(of({{"AWS_ACCESS_KEY_ID", "ID"}}).error().message(),
              HasSubstr("AWS_SECRET_ACCESS_KEY is not set"));
  const auto secret_alone = of({{"AWS_SECRET_ACCESS_KEY", "hush"}});
  EXPECT_TRUE(secret_alone.failed_with(ErrorCode::kDenied));
  EXPECT_THAT(secret_alone.error().message(),
              AllOf(HasSubstr("AWS_ACCESS_KEY_ID is not set"), Not(HasSubstr("hush"))));
}

TEST_F(EnvironmentCredentialsTest, KeysThatCannotStandInAHeaderAreRefused) {
  const auto line_end =
      of({{"AWS_ACCESS_KEY_ID", "ID"}, {"AWS_SECRET_ACCESS_KEY", "hush\r\nevil: 1"}});
  EXPECT_TRUE(line_end.failed_with(ErrorCode::kDenied));
  EXPECT_THAT(line_end.error().message(),
              AllOf(HasSubstr("AWS_SECRET_ACCESS_KEY"), Not(HasSubstr("hush"))));
}

class ProfileCredentialsTest : public CredentialsSourceTest {
 protected:
  void config(std::string_view text) { write_file(home_ / ".aws/config", text); }
};

TEST_F(ProfileCredentialsTest, HasTheKeysOfTheProfileAndReadsThemAnew) {
  ProfileCredentials source(with({{"AWS_PROFILE", "backup"}}));
  config("[profile backup]\naws_access_key_id=A\naws_secret_access_key=hush\n");
  const auto first = source.fetch({}).value();
  EXPECT_EQ(first.credentials, (Credentials{.access_key_id = "A", .secret_access_key = "hush"}));
  EXPECT_THAT(first.source, HasSubstr("profile 'backup' of "));
  config("[profile backup]\naws_access_key_id=B\naws_secret_access_key=h\naws_session_token=t\n");
  EXPECT_EQ(source.fetch({})->credentials,
            (Credentials{.access_key_id = "B", .secret_access_key = "h", .session_token = "t"}));
}

TEST_F(ProfileCredentialsTest, WithoutKeysThereAreNone) {
  EXPECT_THAT(fetch<ProfileCredentials>({})->absence, HasSubstr("there is no profile 'default'"));
  config("[default]\nregion=r\n");
  EXPECT_THAT(fetch<ProfileCredentials>({})->absence, HasSubstr("has no aws_access_key_id"));
}

TEST_F(ProfileCredentialsTest, HalfOfTheKeysIsAnError) {
  config("[default]\naws_secret_access_key=hush\n");
  EXPECT_THAT(refusal<ProfileCredentials>(ErrorCode::kDenied, {}),
              HasSubstr("aws_access_key_id is not set"));
}

TEST_F(ProfileCredentialsTest, OtherWaysToKeysAreNamedAsNotSupported) {
  for (const std::string property :
       {"credential_process", "sso_session", "sso_start_url", "login_session"}) {
    config(fmt::format("[default]\n{}=/bin/hush\n", property));
    EXPECT_THAT(refusal<ProfileCredentials>(ErrorCode::kInvalidArgument, {}),
                HasSubstr(fmt::format("has {}, which is not supported", property)));
    config(fmt::format("[default]\n{}=/bin/hush\naws_access_key_id=A\naws_secret_access_key=b\n",
                       property));
    EXPECT_EQ(fetch<ProfileCredentials>({})->credentials->access_key_id, "A");
  }
}

TEST_F(ProfileCredentialsTest, TheKeysThatARoleIsAssumedWithAreNotTakenForIt) {
  for (const std::string property : {"source_profile", "credential_source"}) {
    config(fmt::format(
        "[default]\nrole_arn=r\n{}=x\naws_access_key_id=A\naws_secret_access_key=hush\n",
        property));
    EXPECT_THAT(refusal<ProfileCredentials>(ErrorCode::kInvalidArgument, {}), HasSubstr(property));
  }
  config("[default]\nrole_arn=r\n");
  EXPECT_THAT(refusal<ProfileCredentials>(ErrorCode::kInvalidArgument, {}), HasSubstr("role_arn"));
}

class WebIdentityCredentialsTest : public CredentialsSourceTest {
 protected:
  Variables variables(Variables more = {}) {
    more.insert({{"AWS_WEB_IDENTITY_TOKEN_FILE", token_file_},
                 {"AWS_ROLE_ARN", "arn:aws:iam::1:role/backup"}});
    return more;
  }
  // What the service at `url` was asked.
  std::string url_of(Variables more) {
    answer_ = [](const SentRequest&) { return response(200, kAnswer); };
    EXPECT_TRUE(fetch<WebIdentityCredentials>(variables(std::move(more))).ok());
    return transport_.sent().back().url;
  }

  static constexpr std::string_view kAnswer =
      R"(<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
      <AssumeRoleWithWebIdentityResult><Audience>a</Audience><Credentials>
      <SessionToken>token/hush</SessionToken><SecretAccessKey>secret/hush</SecretAccessKey>
      <Expiration>2026-11-22T08:00:00Z</Expiration><AccessKeyId>ID</AccessKeyId>
      </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>)";

  const std::string token_file_ = write_file(home_ / "token", "head+hush.tail/hush=\n");
};

TEST_F(WebIdentityCredentialsTest, AsksForTheRoleWithTheTokenInTheBody) {
  answer_ = [](const SentRequest&) { return response(200, kAnswer); };
  const auto fetched =
      fetch<WebIdentityCredentials>(variables({{"AWS_REGION", "eu-central-1"}})).value();
  EXPECT_EQ(fetched.credentials, kTemporary);
  EXPECT_THAT(fetched.source, HasSubstr("arn:aws:iam::1:role/backup"));
  const SentRequest sent = transport_.sent().at(0);
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.url, "https://sts.eu-central-1.amazonaws.com/");
  EXPECT_EQ(find_header(sent.headers, "content-type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(sent.body,
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&"
            "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fbackup&RoleSessionName=varve&"
            "WebIdentityToken=head%2Bhush.tail%2Fhush%3D");
}

TEST_F(WebIdentityCredentialsTest, TheServiceIsThatOfTheRegionOrTheOneThatIsSet) {
  EXPECT_EQ(url_of({}), "https://sts.amazonaws.com/");
  EXPECT_EQ(url_of({{"AWS_REGION", "cn-north-1"}}), "https://sts.cn-north-1.amazonaws.com.cn/");
  EXPECT_EQ(url_of({{"AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9/sts"}}), "http://127.0.0.1:9/sts");
  EXPECT_EQ(url_of({{"AWS_ENDPOINT_URL", "http://storage"}}), "https://sts.amazonaws.com/");
}

TEST_F(WebIdentityCredentialsTest, TheSessionMayHaveAName) {
  url_of({{"AWS_ROLE_SESSION_NAME", "nightly@backup"}});
  EXPECT_THAT(transport_.sent().back().body, HasSubstr("&RoleSessionName=nightly%40backup&"));
}

TEST_F(WebIdentityCredentialsTest, AProfileMayHaveOne) {
  answer_ = [](const SentRequest&) { return response(200, kAnswer); };
  write_file(home_ / ".aws/config",
             fmt::format("[default]\nrole_arn=arn\nweb_identity_token_file={}\n"
                         "role_session_name=s\nregion=us-east-2\n",
                         token_file_));
  EXPECT_EQ(fetch<ProfileCredentials>({})->credentials, kTemporary);
  EXPECT_EQ(transport_.sent().at(0).url, "https://sts.us-east-2.amazonaws.com/");
  EXPECT_THAT(transport_.sent().at(0).body, HasSubstr("RoleArn=arn&RoleSessionName=s&"));
}

TEST_F(WebIdentityCredentialsTest, WithoutATokenFileThereAreNone) {
  EXPECT_THAT(fetch<WebIdentityCredentials>({{"AWS_ROLE_ARN", "arn"}})->absence,
              HasSubstr("AWS_WEB_IDENTITY_TOKEN_FILE is not set"));
  EXPECT_THAT(transport_.sent(), IsEmpty());
}

TEST_F(WebIdentityCredentialsTest, WhatIsMissingIsNamed) {
  EXPECT_THAT(refusal<WebIdentityCredentials>(ErrorCode::kDenied,
                                              {{"AWS_WEB_IDENTITY_TOKEN_FILE", token_file_}}),
              HasSubstr("AWS_ROLE_ARN"));
  EXPECT_THAT(refusal<WebIdentityCredentials>(
                  ErrorCode::kNotFound,
                  {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/absent/token"}, {"AWS_ROLE_ARN", "arn"}}),
              HasSubstr("/absent/token"));
  write_file(token_file_, " \n");
  EXPECT_THAT(refusal<WebIdentityCredentials>(ErrorCode::kInvalidArgument, variables()),
              HasSubstr("holds no token"));
  write_file(token_file_, "hush\nhush\n");
  EXPECT_THAT(refusal<WebIdentityCredentials>(ErrorCode::kInvalidArgument, variables()),
              HasSubstr("one line"));
}

TEST_F(WebIdentityCredentialsTest, RefusalsHaveTheirRemedyAndNotTheTextOfTheService) {
  const auto of = [&](ErrorCode code, int status, std::string_view error) {
    answer_ = [=](const SentRequest&) {
      return response(status, fmt::format("<ErrorResponse><Error><Code>{}</Code><Message>bad "
                                          "head+hush</Message></Error><RequestId>R1</RequestId>"
                                          "</ErrorResponse>",
                                          error));
    };
    return refusal<WebIdentityCredentials>(code, variables());
  };
  EXPECT_THAT(of(ErrorCode::kDenied, 403, "AccessDenied"),
              AllOf(HasSubstr("trust policy"), HasSubstr("R1"), HasSubstr("role/backup")));
  EXPECT_THAT(of(ErrorCode::kDenied, 400, "ExpiredTokenException"), HasSubstr(token_file_));
  EXPECT_THAT(of(ErrorCode::kDenied, 400, "InvalidIdentityToken"), HasSubstr("audience"));
  EXPECT_THAT(of(ErrorCode::kDenied, 400, "ValidationError"), HasSubstr("ValidationError"));
  of(ErrorCode::kThrottled, 400, "Throttling");
  of(ErrorCode::kUnavailable, 400, "IDPCommunicationError");
  of(ErrorCode::kUnavailable, 500, "InternalFailure");
  answer_ = [](const SentRequest&) { return response(502, "<html>hush</html>"); };
  EXPECT_THAT(refusal<WebIdentityCredentials>(ErrorCode::kUnavailable, variables()),
              HasSubstr("502"));
}

TEST_F(WebIdentityCredentialsTest, AnAnswerThatIsNoneIsCorrupted) {
  for (const std::string_view body :
       {"", "hush", "<AssumeRoleWithWebIdentityResponse/>",
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
        "<AccessKeyId>hush</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>"
        "</AssumeRoleWithWebIdentityResponse>"}) {
    answer_ = [=](const SentRequest&) { return response(200, body); };
    refusal<WebIdentityCredentials>(ErrorCode::kCorrupted, variables());
  }
}

class ContainerCredentialsTest : public CredentialsSourceTest {
 protected:
  ContainerCredentialsTest() {
    answer_ = [](const SentRequest&) { return response(200, kJson); };
  }
};

TEST_F(ContainerCredentialsTest, ARelativePathIsThatOfTheTask) {
  const auto fetched = fetch<ContainerCredentials>(
      {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/hush?a=b"},
       {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://other"}});
  EXPECT_EQ(fetched.value().credentials, kTemporary);
  EXPECT_EQ(fetched->source, "the container service at 169.254.170.2");
  EXPECT_EQ(transport_.sent().at(0).url, "http://169.254.170.2/v2/credentials/hush?a=b");
  EXPECT_EQ(transport_.sent().at(0).limit, std::chrono::seconds(5));
  EXPECT_TRUE(transport_.sent().at(0).bypass_proxy);
  EXPECT_EQ(find_header(transport_.sent().at(0).headers, "authorization"), std::nullopt);
}

TEST_F(ContainerCredentialsTest, TheTokenOfTheFileComesBeforeThatOfTheEnvironment) {
  Variables variables{
      {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"},
      {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abc"}};
  ASSERT_TRUE(fetch<ContainerCredentials>(variables).ok());
  EXPECT_EQ(find_header(transport_.sent().back().headers, "authorization"), "Basic abc");
  variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = write_file(home_ / "token", "Bearer x\n");
  ASSERT_TRUE(fetch<ContainerCredentials>(variables).ok());
  EXPECT_EQ(find_header(transport_.sent().back().headers, "authorization"), "Bearer x");
}

TEST_F(ContainerCredentialsTest, WithoutTlsOnlyNearHostsAreAsked) {
  for (const std::string url :
       {"http://127.0.0.1/x", "http://127.3.2.1:80/x", "http://localhost:1/x", "http://[::1]/x",
        "http://169.254.170.2/x", "http://169.254.170.23/x", "http://[fd00:ec2::23]/x",
        "http://[FD00:EC2:0:0::23]/x", "https://anywhere.example/x"}) {
    EXPECT_TRUE(fetch<ContainerCredentials>({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", url}}).ok())
        << url;
    EXPECT_EQ(transport_.sent().back().bypass_proxy, !url.starts_with("https:")) << url;
  }
  const size_t sent = transport_.sent().size();
  for (const std::string url :
       {"http://169.254.170.3/hush", "http://10.0.0.1/hush", "http://128.0.0.1/hush",
        "http://host/hush", "http://localhost.example/hush", "http://127.0.0.1.example/hush",
        "http://[fd00:ec2::24]/hush", "http://127.1/hush", "ftp://127.0.0.1/hush",
        "http://127.0.0.1@host/hush"}) {
    EXPECT_THAT(refusal<ContainerCredentials>(ErrorCode::kInvalidArgument,
                                              {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", url}}),
                HasSubstr("AWS_CONTAINER_CREDENTIALS_FULL_URI"))
        << url;
  }
  EXPECT_THAT(
      refusal<ContainerCredentials>(ErrorCode::kInvalidArgument,
                                    {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@host/hush"}}),
      HasSubstr("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"));
  EXPECT_EQ(transport_.sent().size(), sent);
}

TEST_F(ContainerCredentialsTest, ATokenThatNoHeaderCanCarryIsRefused) {
  refusal<ContainerCredentials>(ErrorCode::kInvalidArgument,
                                {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://a/"},
                                 {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "hush\r\nevil: 1"}});
  EXPECT_THAT(transport_.sent(), IsEmpty());
}

TEST_F(ContainerCredentialsTest, FailuresAreToldApart) {
  const Variables variables{{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/hush"},
                            {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "hush"}};
  const auto of = [&](ErrorCode code, int status, std::string_view body) {
    answer_ = [=](const SentRequest&) { return response(status, body); };
    return refusal<ContainerCredentials>(code, variables);
  };
  EXPECT_THAT(of(ErrorCode::kDenied, 401, "hush"), HasSubstr("status 401"));
  of(ErrorCode::kDenied, 404, "hush");
  of(ErrorCode::kThrottled, 429, "hush");
  of(ErrorCode::kUnavailable, 503, "hush");
  of(ErrorCode::kCorrupted, 200, "");
  of(ErrorCode::kCorrupted, 200, "hush");
  of(ErrorCode::kCorrupted, 200, "[]");
  of(ErrorCode::kCorrupted, 200, R"({"AccessKeyId": "hush"})");
  of(ErrorCode::kCorrupted, 200, R"({"AccessKeyId": 1, "SecretAccessKey": "hush"})");
  EXPECT_THAT(of(ErrorCode::kCorrupted, 200,
                 R"({"AccessKeyId": "a", "SecretAccessKey": "hush", "Expiration": "hush"})"),
              HasSubstr("'Expiration'"));
  EXPECT_THAT(of(ErrorCode::kDenied, 200, R"({"AccessKeyId": "a", "SecretAccessKey": "hu\nsh"})"),
              HasSubstr("SecretAccessKey contains"));
  EXPECT_THAT(of(ErrorCode::kDenied, 200, R"({"Code": "AssumeRoleUnauthorizedAccess"})"),
              HasSubstr("AssumeRoleUnauthorizedAccess"));
  of(ErrorCode::kDenied, 200, R"({"Code": "hush hush"})");
  answer_ = [](const SentRequest&) -> Result<HttpResponse> {
    return make_error(ErrorCode::kCancelled, "the deadline passed");
  };
  EXPECT_THAT(refusal<ContainerCredentials>(ErrorCode::kUnavailable, variables),
              HasSubstr("no answer within 5000 ms"));
}

TEST_F(ContainerCredentialsTest, KeysThatDoNotExpireAreTaken) {
  answer_ = [](const SentRequest&) {
    return response(200, R"({"AccessKeyId": "a", "SecretAccessKey": "b", "Token": null})");
  };
  EXPECT_EQ(
      fetch<ContainerCredentials>({{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/"}})->credentials,
      (Credentials{.access_key_id = "a", .secret_access_key = "b"}));
}

class InstanceCredentialsTest : public CredentialsSourceTest {
 protected:
  // A machine whose metadata service answers like this.
  struct Service {
    int token_status = 200;
    int list_status = 200;
    std::string list = "backup-role\nanother";
    int role_status = 200;
    std::string role = std::string(kJson);
  };
  void serve(const Service& service) {
    answer_ = [=](const SentRequest& request) {
      if (request.method == "PUT") return response(service.token_status, "metadata-hush");
      if (find_header(request.headers, "x-aws-ec2-metadata-token") != "metadata-hush") {
        return response(401, "");
      }
      if (request.url.ends_with('/')) return response(service.list_status, service.list);
      return response(service.role_status, service.role);
    };
  }
};

TEST_F(InstanceCredentialsTest, AsksWithATokenForTheRoleAndItsKeys) {
  serve({});
  const auto fetched = fetch<InstanceCredentials>({}).value();
  EXPECT_EQ(fetched.credentials, kTemporary);
  EXPECT_EQ(fetched.source, "role backup-role of this instance");
  const auto sent = transport_.sent();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0].url, "http://169.254.169.254/latest/api/token");
  EXPECT_TRUE(find_header(sent[0].headers, "x-aws-ec2-metadata-token-ttl-seconds").has_value());
  EXPECT_EQ(sent[1].url, "http://169.254.169.254/latest/meta-data/iam/security-credentials/");
  EXPECT_EQ(sent[2].url, sent[1].url + "backup-role");
  for (const auto& request : sent) {
    EXPECT_EQ(request.limit, std::chrono::seconds(1));
    EXPECT_TRUE(request.bypass_proxy);
  }
}

TEST_F(InstanceCredentialsTest, TheServiceMayBeElsewhereOrDisabled) {
  serve({});
  const auto asked = [&](Variables variables) {
    EXPECT_TRUE(fetch<InstanceCredentials>(std::move(variables)).ok());
    return transport_.sent().back().url;
  };
  EXPECT_THAT(asked({{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://localhost:1338//"}}),
              testing::StartsWith("http://localhost:1338/latest/"));
  EXPECT_THAT(asked({{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6"}}),
              testing::StartsWith("http://[fd00:ec2::254]/latest/"));
  const size_t sent = transport_.sent().size();
  EXPECT_THAT(fetch<InstanceCredentials>({{"AWS_EC2_METADATA_DISABLED", "True"}})->absence,
              HasSubstr("AWS_EC2_METADATA_DISABLED"));
  refusal<InstanceCredentials>(ErrorCode::kInvalidArgument,
                               {{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "hush"}});
  EXPECT_EQ(transport_.sent().size(), sent);
}

TEST_F(InstanceCredentialsTest, AMachineWithoutTheServiceOrARoleHasNone) {
  EXPECT_THAT(fetch<InstanceCredentials>({})->absence,
              HasSubstr("169.254.169.254 does not answer: no connection"));
  answer_ = [](const SentRequest&) -> Result<HttpResponse> {
    return make_error(ErrorCode::kCancelled, "the deadline passed");
  };
  EXPECT_THAT(fetch<InstanceCredentials>({})->absence, HasSubstr("no answer within 1000 ms"));
  serve({.list_status = 404});
  EXPECT_THAT(fetch<InstanceCredentials>({})->absence, HasSubstr("no role"));
}

TEST_F(InstanceCredentialsTest, OnceItHasAnsweredItsSilenceIsAnOutage) {
  InstanceCredentials source(with({}));
  serve({});
  ASSERT_TRUE(source.fetch({}).ok());
  answer_ = [](const SentRequest&) -> Result<HttpResponse> {
    return make_error(ErrorCode::kUnavailable, "no connection");
  };
  EXPECT_TRUE(source.fetch({}).failed_with(ErrorCode::kUnavailable));
}

TEST_F(InstanceCredentialsTest, FailuresAreToldApart) {
  const auto of = [&](ErrorCode code, const Service& service) {
    serve(service);
    return refusal<InstanceCredentials>(code, {});
  };
  EXPECT_THAT(of(ErrorCode::kDenied, {.token_status = 403}),
              HasSubstr("the instance metadata service at 169.254.169.254: refused (status 403)"));
  of(ErrorCode::kUnavailable, {.token_status = 503});
  of(ErrorCode::kUnavailable, {.list_status = 500});
  of(ErrorCode::kCorrupted, {.list = "<html>hush</html>"});
  of(ErrorCode::kCorrupted, {.list = ""});
  of(ErrorCode::kCorrupted, {.list = "../../hush"});
  of(ErrorCode::kThrottled, {.role_status = 429});
  of(ErrorCode::kCorrupted, {.role = "hush"});
  EXPECT_THAT(of(ErrorCode::kDenied, {.role = R"({"Code": "Failed"})"}),
              HasSubstr("role backup-role of this instance: refused with Failed"));
}

TEST_F(CredentialsSourceTest, AStopOfTheCallerIsCancelled) {
  std::stop_source stop;
  stop.request_stop();
  InstanceCredentials source(with({}));
  EXPECT_TRUE(source.fetch({.stop = stop.get_token()}).failed_with(ErrorCode::kCancelled));
  EXPECT_THAT(transport_.sent(), IsEmpty());
}

TEST_F(CredentialsSourceTest, TheDeadlineOfTheCallerIsKept) {
  ContainerCredentials source(with({{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/"}}));
  answer_ = [&](const SentRequest& request) -> Result<HttpResponse> {
    EXPECT_EQ(request.limit, std::chrono::seconds(2));
    clock_.advance(std::chrono::seconds(2));
    return make_error(ErrorCode::kCancelled, "the deadline passed");
  };
  EXPECT_TRUE(source.fetch({.deadline = Deadline::after(std::chrono::seconds(2), clock_)})
                  .failed_with(ErrorCode::kCancelled));
}

}  // namespace
}  // namespace varve::s3
