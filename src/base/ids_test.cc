#include "base/ids.h"

#include <gtest/gtest.h>

#include <unordered_set>

#include "base/random.h"

namespace varve {
namespace {

constexpr std::string_view kText = "00112233445566778899aabbccddeeff";

TEST(Id, IsThirtyTwoHexDigits) {
  const auto id = TenantId::parse(kText).value();
  EXPECT_EQ(id.bytes[1], 0x11);
  EXPECT_EQ(id.to_string(), kText);
  EXPECT_EQ(TenantId::parse("00112233445566778899AABBCCDDEEFF").value(), id);
  EXPECT_EQ(fmt::format("{}", id), kText);
}

TEST(Id, WhatIsNoneIsRefusedByTheNameOfItsKind) {
  for (const char* text :
       {"", "0011", "00112233445566778899aabbccddeef", "main", "00112233445566778899aabbccddeeff0",
        "00112233445566778899aabbccddeefg", "00112233-4455-6677-8899-aabbccddeeff"}) {
    EXPECT_TRUE(TenantId::parse(text).failed_with(ErrorCode::kInvalidArgument)) << text;
  }
  EXPECT_EQ(TimelineId::parse("x").error().message(),
            "'x' is not a timeline ID: expected 32 hex digits");
}

TEST(Id, NilIsTheDefault) {
  EXPECT_TRUE(TenantId().is_nil());
  EXPECT_FALSE(TenantId::parse(kText)->is_nil());
}

TEST(Id, SortsAsItsText) {
  const auto low = TenantId::parse("7f000000000000000000000000000000").value();
  const auto high = TenantId::parse("80000000000000000000000000000000").value();
  EXPECT_LT(low, high);
  EXPECT_LT(low.to_string(), high.to_string());
}

TEST(Id, ATimelineIsAddressedThroughItsTenant) {
  const TenantTimelineId id{TenantId::parse(kText).value(), TimelineId()};
  EXPECT_EQ(fmt::format("{}", id),
            "00112233445566778899aabbccddeeff/00000000000000000000000000000000");
}

TEST(Id, DrawnOnesDifferAndHash) {
  SeededRandom random(1);
  std::unordered_set<Nonce> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.next_id<Nonce>());
  EXPECT_EQ(seen.size(), 1000U);
}

}  // namespace
}  // namespace varve
