#include "layer/version_cursor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Key key_of(uint8_t number) {
  Key key;
  key.bytes.back() = number;
  return key;
}

// What is in a vector; may fail after some versions.
class VectorCursor : public VersionCursor {
 public:
  explicit VectorCursor(std::vector<Version> versions, size_t fails_after = SIZE_MAX)
      : versions_(std::move(versions)), fails_after_(fails_after) {}

  const Version* current() const override {
    return at_ < versions_.size() ? &versions_[at_] : nullptr;
  }
  Result<> next() override {
    if (++at_ <= fails_after_) return {};
    at_ = versions_.size();
    return make_error(ErrorCode::kUnavailable, "nothing more can be read");
  }

 private:
  const std::vector<Version> versions_;
  const size_t fails_after_;
  size_t at_ = 0;
};

Version version(uint8_t key, uint64_t lsn, ValueKind kind = ValueKind::kRecord) {
  return {.key = key_of(key), .lsn = Lsn{lsn}, .kind = kind, .value = {}};
}

VersionCursorPointer cursor(std::vector<Version> versions) {
  return std::make_unique<VectorCursor>(std::move(versions));
}

std::vector<std::string> read(VersionCursor& cursor) {
  std::vector<std::string> read;
  while (const Version* at = cursor.current()) {
    read.push_back(fmt::format("{}@{}{}", at->key.bytes.back(), at->lsn.value,
                               at->kind == ValueKind::kImage ? " image" : ""));
    EXPECT_TRUE(cursor.next().ok());
  }
  return read;
}

std::vector<VersionCursorPointer> all(VersionCursorPointer a, VersionCursorPointer b,
                                      VersionCursorPointer c) {
  std::vector<VersionCursorPointer> cursors;
  cursors.push_back(std::move(a));
  cursors.push_back(std::move(b));
  cursors.push_back(std::move(c));
  return cursors;
}

TEST(VersionCursor, MergesByKeyAndThenNewestFirst) {
  const auto merged =
      merge(all(cursor({version(1, 10), version(3, 20)}),
                cursor({version(1, 20), version(1, 5), version(2, 7)}), cursor({})));
  EXPECT_THAT(read(*merged), ElementsAre("1@20", "1@10", "1@5", "2@7", "3@20"));
  const auto nothing = merge({});
  EXPECT_EQ(nothing->current(), nullptr);
}

TEST(VersionCursor, AnImageComesBeforeARecordOfTheSameLsn) {
  const auto merged =
      merge(all(cursor({version(1, 10)}), cursor({version(1, 10, ValueKind::kImage)}), cursor({})));
  EXPECT_THAT(read(*merged), ElementsAre("1@10 image", "1@10"));
}

TEST(VersionCursor, LimitsLeaveOutWhatLiesOutside) {
  const std::vector<Version> versions{version(1, 30), version(1, 20), version(1, 10),
                                      version(2, 40), version(3, 25)};
  EXPECT_THAT(read(*between(cursor(versions), Lsn{20}, Lsn{30}).value()),
              ElementsAre("1@30", "1@20", "3@25"));
  EXPECT_THAT(read(*between(cursor(versions), Lsn{41}, Lsn{50}).value()), IsEmpty());
}

TEST(VersionCursor, AnErrorEndsTheReading) {
  std::vector<VersionCursorPointer> cursors;
  cursors.push_back(cursor({version(1, 10), version(3, 10)}));
  cursors.push_back(std::make_unique<VectorCursor>(std::vector{version(2, 10), version(4, 10)}, 0));
  const auto merged = merge(std::move(cursors));
  EXPECT_TRUE(merged->next().ok());
  EXPECT_TRUE(merged->next().failed_with(ErrorCode::kUnavailable));
  EXPECT_EQ(merged->current(), nullptr);
}

TEST(VersionCursor, MergingGivesWhatSortingGives) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SeededRandom random(seed);
    std::vector<Version> expected;
    std::vector<VersionCursorPointer> cursors;
    for (uint64_t i = 0; i < 1 + random.next() % 6; ++i) {
      std::vector<Version> versions;
      for (uint64_t j = 0; j < random.next() % 20; ++j) {
        versions.push_back(version(static_cast<uint8_t>(random.next() % 5), random.next() % 30));
      }
      std::ranges::sort(versions, comes_before);
      expected.insert(expected.end(), versions.begin(), versions.end());
      cursors.push_back(cursor(std::move(versions)));
    }
    std::ranges::sort(expected, comes_before);
    EXPECT_EQ(read(*merge(std::move(cursors))), read(*cursor(expected))) << "seed " << seed;
  }
}

TEST(VersionCursor, SeekingGoesOnToAPlaceAndNeverBack) {
  const std::vector<Version> versions{version(1, 30), version(1, 20), version(1, 10),
                                      version(2, 40), version(4, 25)};
  const auto at = cursor(versions);
  const auto seek = [&](uint8_t key, uint64_t lsn) {
    EXPECT_TRUE(at->seek(key_of(key), Lsn{lsn}).ok());
    return fmt::format("{}@{}", at->current()->key.bytes.back(), at->current()->lsn.value);
  };
  EXPECT_EQ(seek(1, 40), "1@30");
  EXPECT_EQ(seek(1, 15), "1@10");
  EXPECT_EQ(seek(1, 30), "1@10");
  EXPECT_EQ(seek(2, 39), "4@25");
  EXPECT_TRUE(at->seek(key_of(5), Lsn{1}).ok());
  EXPECT_EQ(at->current(), nullptr);
}

TEST(VersionCursor, SeekingInMergedAndLimitedOnesGivesWhatReadingOnGives) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SeededRandom random(seed);
    std::vector<std::vector<Version>> all;
    for (uint64_t i = 0; i < 1 + random.next() % 4; ++i) {
      auto& versions = all.emplace_back();
      for (uint64_t j = 0; j < random.next() % 30; ++j) {
        versions.push_back(version(static_cast<uint8_t>(random.next() % 4), random.next() % 30));
      }
      std::ranges::sort(versions, comes_before);
    }
    const Lsn first{random.next() % 10};
    const Lsn last{20 + random.next() % 10};
    std::vector<VersionCursorPointer> limited;
    std::vector<Version> expected;
    for (const auto& versions : all) {
      limited.push_back(between(cursor(versions), first, last).value());
      std::ranges::copy_if(versions, std::back_inserter(expected), [&](const Version& version) {
        return first <= version.lsn && version.lsn <= last;
      });
    }
    std::ranges::sort(expected, comes_before);
    const auto fast = merge(std::move(limited));
    const auto slow = cursor(expected);
    while (slow->current() != nullptr) {
      const Key key = key_of(static_cast<uint8_t>(random.next() % 5));
      const Lsn lsn{random.next() % 30};
      EXPECT_TRUE(fast->seek(key, lsn).ok());
      while (slow->current() != nullptr && lies_before(*slow->current(), key, lsn)) {
        EXPECT_TRUE(slow->next().ok());
      }
      ASSERT_EQ(fast->current() == nullptr, slow->current() == nullptr) << "seed " << seed;
      if (slow->current() == nullptr) break;
      ASSERT_EQ(fast->current()->key, slow->current()->key) << "seed " << seed;
      ASSERT_EQ(fast->current()->lsn, slow->current()->lsn) << "seed " << seed;
      EXPECT_TRUE(fast->next().ok());
      EXPECT_TRUE(slow->next().ok());
    }
  }
}

}  // namespace
}  // namespace varve
