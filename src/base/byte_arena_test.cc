#include "base/byte_arena.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

TEST(ByteArena, WhatItKeepsStaysWhereItIs) {
  ByteArena arena;
  std::vector<std::pair<ByteView, uint8_t>> kept;
  size_t total = 0;
  // Small ones and some that need more than a chunk.
  for (size_t i = 0; i < 2000; ++i) {
    const Bytes value(i % 500 == 7 ? 3'000'000 : i % 3000, static_cast<uint8_t>(i));
    kept.emplace_back(arena.keep(value), static_cast<uint8_t>(i));
    total += value.size();
  }
  EXPECT_EQ(arena.size(), total);
  for (const auto& [view, value] : kept) {
    EXPECT_TRUE(std::ranges::all_of(view, [&](uint8_t byte) { return byte == value; }));
  }
}

TEST(ByteArena, ItsRoomIsUsedAgain) {
  ByteArena arena;
  const uint8_t* const first = arena.allocate(100).data();
  arena.clear();
  EXPECT_EQ(arena.size(), 0U);
  EXPECT_EQ(arena.allocate(50).data(), first);
  EXPECT_NE(arena.allocate(50).data(), first);
}

TEST(ByteArena, NothingTakesNoRoom) {
  ByteArena arena;
  EXPECT_TRUE(arena.keep({}).empty());
  EXPECT_EQ(arena.size(), 0U);
}

}  // namespace
}  // namespace varve
