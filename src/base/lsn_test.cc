#include "base/lsn.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

TEST(Lsn, IsPrintedAsPostgresqlDoes) {
  EXPECT_EQ(Lsn{0}.to_string(), "0/0");
  EXPECT_EQ(Lsn{0x16B9188}.to_string(), "0/16B9188");
  EXPECT_EQ((Lsn{0xA000000005}.to_string()), "A0/5");
  EXPECT_EQ(Lsn::max().to_string(), "FFFFFFFF/FFFFFFFF");
}

TEST(Lsn, IsParsedAsPostgresqlDoes) {
  EXPECT_EQ(Lsn::parse("0/16B9188").value(), Lsn{0x16B9188});
  EXPECT_EQ(Lsn::parse("0/16b9188").value(), Lsn{0x16B9188});
  EXPECT_EQ(Lsn::parse("00000001/00000002").value(), Lsn{0x100000002});
  EXPECT_EQ(Lsn::parse("FFFFFFFF/FFFFFFFF").value(), Lsn::max());
}

TEST(Lsn, WhatIsNoneIsRefused) {
  for (const char* text : {"", "/", "0", "0/", "/0", "0/0/0", "0/x", "-1/0", "0/-1", "+0/0", " 0/0",
                           "0/0 ", "0x0/0", "123456789/0", "0/000000001"}) {
    EXPECT_TRUE(Lsn::parse(text).failed_with(ErrorCode::kInvalidArgument)) << text;
  }
}

TEST(Lsn, ZeroIsNoPositionAndOrderIsThatOfTheLog) {
  EXPECT_FALSE(Lsn{}.valid());
  EXPECT_TRUE(Lsn{1}.valid());
  EXPECT_LT((Lsn{0xFFFFFFFF}), (Lsn{0x100000000}));
  EXPECT_EQ(fmt::format("at {}", Lsn{0x28}), "at 0/28");
}

}  // namespace
}  // namespace varve
