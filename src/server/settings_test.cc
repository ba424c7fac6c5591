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

}  // namespace
}  // namespace varve
