#include "server/settings.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

TEST(Settings, WhatIsWrittenIsReadAsTheSameWhateverItsCharacters) {
  Settings settings;
  settings.pg_user = "a\"b\\c\n\x01\x7fü";
  const auto again = parse_settings(format_settings(settings), "varve.toml");
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(*again, settings);
}

TEST(Settings, LettersOutsideOfQuotesAndCommentsAreRefusedWithTheirLine) {
  for (const char* text :
       {"# ü\npg_user = ü\n", "\nü = 1", "\npg_user = \"a\" ü", "pg_user = \"\"\"\na\"\"\" ü"}) {
    const auto settings = parse_settings(text, "varve.toml");
    ASSERT_TRUE(settings.failed_with(ErrorCode::kInvalidArgument)) << text;
    EXPECT_TRUE(settings.error().message().starts_with("varve.toml, line 2: ")) << text;
  }
  EXPECT_EQ(parse_settings("pg_user = \"\"\"\\\n  ü\"\"\" # ü", "varve.toml")->pg_user, "ü");
}

TEST(Settings, ValuesThatAServerCannotUseAreRefused) {
  for (const char* text :
       {"listen = \"localhost\"", "listen = \"example.com:80\"", "token_file = \"token\"",
        "tls_key = \"/k\"", "tls_certificate = \"c\"\ntls_key = \"/k\"", "stop_timeout = -1",
        "redo_processes = 0", "redo_processes = 65", "pg_bindir = \"bin\"", "rpo = 0",
        "gc_interval = -1", "disk_low_mib = 1", "memory_limit_mib = 7", "upload_lag_mib = 0",
        "retention_mib = -1", "retention_hours = -1", "stop_timeout = 3601",
        "stop_timeout = 9223372036854775807", "stop_timeout = \"1\""}) {
    EXPECT_TRUE(parse_settings(text, "varve.toml").failed_with(ErrorCode::kInvalidArgument))
        << text;
  }
}

TEST(Settings, EveryKeyIsWrittenReadAndCompared) {
  const Settings all{.remote = "file:///r",
                     .log_level = "debug",
                     .compression_level = 7,
                     .pg_user = "pg",
                     .pg_bindir = "/b",
                     .redo_processes = 3,
                     .listen = "[::1]:80",
                     .token_file = "/t",
                     .tls_certificate = "/c",
                     .tls_key = "/k",
                     .rpo = 4,
                     .memory_limit_mib = 9,
                     .upload_lag_mib = 5,
                     .retention_hours = 1,
                     .retention_mib = 2,
                     .gc_interval = 6,
                     .disk_high_mib = 8,
                     .disk_low_mib = 7,
                     .stop_timeout = 3};
  const auto again = parse_settings(format_settings(all), "varve.toml");
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(*again, all);
  EXPECT_EQ(differing_keys(all, {}),
            (std::vector<std::string>{
                "remote", "log_level", "compression_level", "pg_user", "pg_bindir",
                "redo_processes", "listen", "token_file", "tls_certificate", "tls_key", "rpo",
                "memory_limit_mib", "upload_lag_mib", "retention_hours", "retention_mib",
                "gc_interval", "disk_high_mib", "disk_low_mib", "stop_timeout"}));
  EXPECT_TRUE(differing_keys(all, all).empty());
}

}  // namespace
}  // namespace varve
