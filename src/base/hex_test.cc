#include "base/hex.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace varve {
namespace {

TEST(Hex, EncodesInLowerCase) {
  EXPECT_EQ(hex_encode({}), "");
  const std::vector<uint8_t> bytes{0x00, 0x7F, 0xAB, 0xFF};
  EXPECT_EQ(hex_encode(bytes), "007fabff");
}

TEST(Hex, DecodesEitherCase) {
  std::array<uint8_t, 3> out{};
  ASSERT_TRUE(hex_decode("00aBfF", out));
  EXPECT_EQ(out, (std::array<uint8_t, 3>{0x00, 0xAB, 0xFF}));
}

TEST(Hex, RefusesAnotherLengthAndOtherCharacters) {
  std::array<uint8_t, 2> out{};
  for (const char* text : {"", "00", "0000000", "00000", "000g", "00 0", "0x00", "-100"}) {
    EXPECT_FALSE(hex_decode(text, out)) << text;
  }
}

}  // namespace
}  // namespace varve
