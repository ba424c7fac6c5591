#include "remote_storage/s3/s3_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace varve::s3 {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Result<S3Options> read(std::map<std::string, std::string> variables) {
  return s3_options_from_environment(
      [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        if (found == variables.end()) return std::nullopt;
        return found->second;
      });
}

TEST(S3OptionsFromEnvironment, WhatIsNotSetHasItsDefault) {
  const S3Options options = read({{"VARVE_S3_MAX_REQUESTS", ""}}).value();
  EXPECT_EQ(options.checksum, Checksum::kAutomatic);
  EXPECT_FALSE(options.sign_payload.has_value());
  EXPECT_EQ(options.maximum_requests, 64U);
  EXPECT_EQ(options.bandwidth, 0U);
}

TEST(S3OptionsFromEnvironment, EveryVariableIsRead) {
  const S3Options options = read({{"VARVE_S3_CHECKSUM", "crc32c"},
                                  {"VARVE_S3_SIGN_PAYLOAD", "false"},
                                  {"VARVE_S3_STORAGE_CLASS", "STANDARD_IA"},
                                  {"VARVE_S3_SSE", "aws:kms"},
                                  {"VARVE_S3_SSE_KMS_KEY_ID", "alias/backup"},
                                  {"VARVE_S3_USER_AGENT", "here/1"},
                                  {"VARVE_S3_CA_FILE", "/ca.pem"},
                                  {"VARVE_S3_MAX_REQUESTS", "8"},
                                  {"VARVE_S3_BANDWIDTH", "10000000"},
                                  {"VARVE_S3_CONNECT_TIMEOUT", "1"},
                                  {"VARVE_S3_FIRST_BYTE_TIMEOUT", "2"},
                                  {"VARVE_S3_STALL_TIMEOUT", "3"}})
                                .value();
  EXPECT_EQ(options.checksum, Checksum::kCrc32c);
  EXPECT_EQ(options.sign_payload, false);
  EXPECT_EQ(options.storage_class, "STANDARD_IA");
  EXPECT_EQ(options.server_side_encryption, "aws:kms");
  EXPECT_EQ(options.kms_key_id, "alias/backup");
  EXPECT_EQ(options.user_agent, "here/1");
  EXPECT_EQ(options.ca_file, "/ca.pem");
  EXPECT_EQ(options.maximum_requests, 8U);
  EXPECT_EQ(options.bandwidth, 10'000'000U);
  EXPECT_EQ(options.connect_timeout, std::chrono::seconds(1));
  EXPECT_EQ(options.first_byte_timeout, std::chrono::seconds(2));
  EXPECT_EQ(options.stall_timeout, std::chrono::seconds(3));
}

TEST(S3OptionsFromEnvironment, TheCaFileOfAwsIsTheSecondChoice) {
  EXPECT_EQ(read({{"AWS_CA_BUNDLE", "/aws.pem"}})->ca_file, "/aws.pem");
  EXPECT_EQ(read({{"AWS_CA_BUNDLE", "/aws.pem"}, {"VARVE_S3_CA_FILE", "/v.pem"}})->ca_file,
            "/v.pem");
}

TEST(S3OptionsFromEnvironment, ABadValueIsNamed) {
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"VARVE_S3_CHECKSUM", "crc32"},
           {"VARVE_S3_SIGN_PAYLOAD", "yes"},
           {"VARVE_S3_SSE", "aes256"},
           {"VARVE_S3_MAX_REQUESTS", "0"},
           {"VARVE_S3_BANDWIDTH", "10M"},
           {"VARVE_S3_CONNECT_TIMEOUT", "-1"},
           {"VARVE_S3_STALL_TIMEOUT", "3601"},
       }) {
    const auto options = read({{name, value}});
    ASSERT_TRUE(options.failed_with(ErrorCode::kInvalidArgument)) << name;
    EXPECT_THAT(options.error().message(), AllOf(HasSubstr(name), HasSubstr("'" + value + "'")));
  }
  EXPECT_TRUE(read({{"VARVE_S3_STORAGE_CLASS", "a\nb"}}).failed_with(ErrorCode::kInvalidArgument));
  EXPECT_TRUE(read({{"VARVE_S3_SSE_KMS_KEY_ID", "key"}}).failed_with(ErrorCode::kInvalidArgument));
}

}  // namespace
}  // namespace varve::s3
