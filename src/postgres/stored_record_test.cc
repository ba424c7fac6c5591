#include "postgres/stored_record.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace varve {
namespace {

TEST(StoredRecord, ComesBackAsItWasStored) {
  const Bytes record{7, 0, 255};
  for (const bool logged : {false, true}) {
    const Bytes value = StoredRecord{.hint_bits_logged = logged, .bytes = record}.encode();
    const auto stored = StoredRecord::parse(value);
    ASSERT_TRUE(stored.ok());
    EXPECT_EQ(stored->hint_bits_logged, logged);
    EXPECT_TRUE(std::ranges::equal(stored->bytes, record));
  }
}

TEST(StoredRecord, TheFlagsAreAByteBeforeTheRecord) {
  const Bytes record{7, 0, 255};
  EXPECT_EQ((StoredRecord{.hint_bits_logged = false, .bytes = record}.encode()),
            (Bytes{0, 7, 0, 255}));
  EXPECT_EQ((StoredRecord{.hint_bits_logged = true, .bytes = record}.encode()),
            (Bytes{1, 7, 0, 255}));
}

TEST(StoredRecord, FlagsThatMeanNothingAreDamage) {
  EXPECT_TRUE(StoredRecord::parse({}).failed_with(ErrorCode::kCorrupted));
  for (const uint8_t flags : {2, 3, 0x80, 0xFF}) {
    const Bytes value{flags, 7, 0, 255};
    EXPECT_TRUE(StoredRecord::parse(value).failed_with(ErrorCode::kCorrupted)) << int{flags};
  }
}

}  // namespace
}  // namespace varve
