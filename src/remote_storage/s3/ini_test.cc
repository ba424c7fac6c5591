#include "remote_storage/s3/ini.h"

#include <gmock/gmock.h>

namespace varve::s3 {
namespace {

using testing::HasSubstr;
using testing::Not;

IniSections parse(std::string_view text) {
  return parse_ini(text, "config").value();
}

TEST(Ini, SectionsHaveProperties) {
  EXPECT_EQ(parse("[default]\nregion = eu-central-1\r\nAWS_Access_Key_Id=a=b \n\n"
                  "[ profile\t backup ]  # comment\nx=\n"),
            (IniSections{{"default", {{"region", "eu-central-1"}, {"aws_access_key_id", "a=b"}}},
                         {"profile backup", {{"x", ""}}}}));
  EXPECT_EQ(parse(""), IniSections());
  EXPECT_EQ(parse("\xef\xbb\xbf[a]\nb=c"), (IniSections{{"a", {{"b", "c"}}}}));
}

TEST(Ini, TheSameSectionAndKeyTwiceAreOne) {
  EXPECT_EQ(parse("[a]\nb=1\nc=1\n[d]\n[a]\nb=2\n"),
            (IniSections{{"a", {{"b", "2"}, {"c", "1"}}}, {"d", {}}}));
}

TEST(Ini, CommentsAreNoValues) {
  EXPECT_EQ(parse("# a\n; b\n[a]\n  # c\nd=e # f\ng=h;i#j ;k\nl=#m\nn= # o\n"),
            (IniSections{{"a", {{"d", "e"}, {"g", "h;i#j"}, {"l", "#m"}, {"n", ""}}}}));
}

TEST(Ini, IndentedLinesBelongToThePropertyBefore) {
  EXPECT_EQ(
      parse("[services x]\ns3 =\n  endpoint_url = http://h\n  # c\n  Other = 1\nsts=\n\tb=2\n"),
      (IniSections{{"services x",
                    {{"s3", ""},
                     {"s3.endpoint_url", "http://h"},
                     {"s3.other", "1"},
                     {"sts", ""},
                     {"sts.b", "2"}}}}));
  EXPECT_EQ(parse("[a]\nb=c\n  d = e\n"), (IniSections{{"a", {{"b", "c\nd = e"}}}}));
}

TEST(Ini, AFileThatIsIndentedAsAWholeIsTheSame) {
  EXPECT_EQ(parse("  [a]\n  b = 1\n  c = 2\n  [d]\n    e = 3\n    f = 4\n"),
            (IniSections{{"a", {{"b", "1"}, {"c", "2"}}}, {"d", {{"e", "3"}, {"f", "4"}}}}));
}

TEST(Ini, WhatIsNeitherIsRefusedByItsLineAndNotShown) {
  for (const std::string_view text : {"[a]\nhush", "\n[hush", "[]\nhush", "[a] hush\n\n",
                                      "[a]\n=hush", "\nhush=1", "[a]\nb=\n  =hush"}) {
    const auto parsed = parse_ini(text, "/home/.aws/config");
    ASSERT_TRUE(parsed.failed_with(ErrorCode::kInvalidArgument)) << text;
    EXPECT_THAT(parsed.error().message(), HasSubstr("/home/.aws/config, line "));
    EXPECT_THAT(parsed.error().message(), Not(HasSubstr("hush")));
  }
  EXPECT_THAT(parse_ini("[a]\nb=c\n\nhush", "config").error().message(), HasSubstr("line 4:"));
}

}  // namespace
}  // namespace varve::s3
