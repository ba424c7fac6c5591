#include "layer/in_memory_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "base/random.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Key key(uint32_t number) {
  Key key;
  store_big(key.bytes.data() + 3, number);
  return key;
}

Result<> put(InMemoryLayer& layer, uint32_t number, uint64_t lsn, std::string_view value,
             ValueKind kind = ValueKind::kRecord) {
  return layer.put({.key = key(number), .lsn = Lsn{lsn}, .kind = kind, .value = as_bytes(value)});
}

std::vector<std::string> texts(const std::vector<Version>& versions) {
  std::vector<std::string> texts;
  for (const Version& version : versions) {
    texts.push_back(fmt::format("{} at {}{}", as_text(version.value), version.lsn.value,
                                version.kind == ValueKind::kImage ? ", whole" : ""));
  }
  return texts;
}

TEST(InMemoryLayer, GivesTheVersionsOfAKeyDownToTheNewestImage) {
  InMemoryLayer layer;
  ASSERT_TRUE(put(layer, 1, 10, "a", ValueKind::kImage).ok());
  ASSERT_TRUE(put(layer, 1, 20, "b").ok());
  ASSERT_TRUE(put(layer, 2, 20, "other").ok());
  ASSERT_TRUE(put(layer, 1, 30, "c", ValueKind::kImage).ok());
  ASSERT_TRUE(put(layer, 1, 40, "d").ok());
  EXPECT_THAT(texts(layer.find(key(1), Lsn{50})), ElementsAre("d at 40", "c at 30, whole"));
  EXPECT_THAT(texts(layer.find(key(1), Lsn{39})), ElementsAre("c at 30, whole"));
  EXPECT_THAT(texts(layer.find(key(1), Lsn{20})), ElementsAre("b at 20", "a at 10, whole"));
  EXPECT_THAT(texts(layer.find(key(1), Lsn{9})), IsEmpty());
  EXPECT_THAT(texts(layer.find(key(2), Lsn{50})), ElementsAre("other at 20"));
  EXPECT_THAT(texts(layer.find(key(3), Lsn{50})), IsEmpty());
}

TEST(InMemoryLayer, AVersionThatIsNotTheNewestOfItsKeyIsRefused) {
  InMemoryLayer layer;
  ASSERT_TRUE(put(layer, 1, 20, "a").ok());
  EXPECT_TRUE(put(layer, 1, 20, "b").failed_with(ErrorCode::kInvalidArgument));
  EXPECT_TRUE(put(layer, 1, 19, "b").failed_with(ErrorCode::kInvalidArgument));
  EXPECT_THAT(texts(layer.find(key(1), Lsn{50})), ElementsAre("a at 20"));
  EXPECT_EQ(layer.version_count(), 1U);
}

TEST(InMemoryLayer, CountsTheMemoryItTakes) {
  InMemoryLayer layer;
  const std::string page(8192, 'x');
  for (uint32_t i = 0; i < 1000; ++i) ASSERT_TRUE(put(layer, i, 1, page).ok());
  EXPECT_GT(layer.bytes(), 1000 * page.size());
  EXPECT_LT(layer.bytes(), 1000 * (page.size() + 300) + (1U << 20));
}

TEST(InMemoryLayer, FindsEveryKeyHoweverManyThereAre) {
  constexpr uint32_t kKeys = 50'000;
  InMemoryLayer layer;
  for (uint32_t i = 0; i < kKeys; ++i) ASSERT_TRUE(put(layer, i, 1, std::to_string(i)).ok());
  for (uint32_t i = 0; i < kKeys; ++i) {
    const auto found = layer.find(key(i), Lsn{1});
    ASSERT_EQ(found.size(), 1U) << i;
    ASSERT_EQ(as_text(found[0].value), std::to_string(i));
  }
}

using Model = std::map<std::pair<Key, uint64_t>, std::pair<ValueKind, Bytes>>;

// Any keys and sizes, small, large and empty.
Model fill(InMemoryLayer& layer, Random& random) {
  Model model;
  for (uint64_t lsn = 1; lsn <= 5000; ++lsn) {
    const Key at = key(static_cast<uint32_t>(random.next() % 1500));
    const auto kind = random.next() % 4 == 0 ? ValueKind::kImage : ValueKind::kRecord;
    const uint64_t size = random.next() % 100 == 0 ? random.next() % 300'000 : random.next() % 50;
    const Bytes value(size, static_cast<uint8_t>(lsn));
    EXPECT_TRUE(layer.put({.key = at, .lsn = Lsn{lsn}, .kind = kind, .value = value}).ok());
    model[{at, lsn}] = {kind, value};
  }
  return model;
}

void expect_same(const Version& version, const Model& model) {
  const auto found = model.find({version.key, version.lsn.value});
  ASSERT_NE(found, model.end());
  EXPECT_EQ(version.kind, found->second.first);
  EXPECT_TRUE(std::ranges::equal(version.value, found->second.second));
}

TEST(InMemoryLayer, AnythingThatWasPutIsFound) {
  SeededRandom random(3);
  InMemoryLayer layer;
  const Model model = fill(layer, random);
  for (int i = 0; i < 2000; ++i) {
    const Key at = key(static_cast<uint32_t>(random.next() % 1600));
    const uint64_t lsn = random.next() % 5100;
    std::vector<uint64_t> expected;
    for (auto next = model.upper_bound({at, lsn}); next != model.begin();) {
      --next;
      if (next->first.first != at) break;
      expected.push_back(next->first.second);
      if (next->second.first == ValueKind::kImage) break;
    }
    std::vector<uint64_t> found;
    for (const Version& version : layer.find(at, Lsn{lsn})) {
      EXPECT_EQ(version.key, at);
      expect_same(version, model);
      found.push_back(version.lsn.value);
    }
    EXPECT_EQ(found, expected);
  }
}

TEST(InMemoryLayer, AScanGivesKeysAscendingAndTheNewestVersionFirst) {
  SeededRandom random(4);
  InMemoryLayer layer;
  const Model model = fill(layer, random);
  const KeyRange range{key(200), key(900)};
  std::vector<std::pair<Key, uint64_t>> expected;
  for (const auto& [at, value] : model) {
    if (range.contains(at.first)) expected.push_back(at);
  }
  std::ranges::sort(expected, [](const auto& left, const auto& right) {
    return left.first != right.first ? left.first < right.first : right.second < left.second;
  });
  std::vector<std::pair<Key, uint64_t>> found;
  const auto cursor = layer.cursor(range);
  while (cursor->current() != nullptr) {
    expect_same(*cursor->current(), model);
    found.emplace_back(cursor->current()->key, cursor->current()->lsn.value);
    ASSERT_TRUE(cursor->next().ok());
  }
  EXPECT_EQ(found, expected);
}

TEST(InMemoryLayer, IsReadWhileItIsWritten) {
  constexpr uint64_t kVersions = 20'000;
  InMemoryLayer layer;
  std::atomic<uint64_t> newest = 0;
  std::vector<std::jthread> readers;
  for (uint32_t reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&, reader] {
      while (newest < kVersions) {
        const uint64_t lsn = newest;
        const auto versions = layer.find(key(reader), Lsn{lsn});
        if (lsn > 200) {
          ASSERT_FALSE(versions.empty());
        }
        for (const Version& version : versions) {
          ASSERT_EQ(as_text(version.value), std::to_string(version.lsn.value));
        }
      }
    });
  }
  for (uint64_t lsn = 1; lsn <= kVersions; ++lsn) {
    const auto kind = lsn % 100 < 50 ? ValueKind::kImage : ValueKind::kRecord;
    // The readers' keys, and others that make the table grow.
    const auto number = static_cast<uint32_t>(lsn % 2 == 0 ? lsn / 2 % 50 : lsn);
    ASSERT_TRUE(put(layer, number, lsn, std::to_string(lsn), kind).ok());
    newest = lsn;
  }
}

TEST(InMemoryLayer, ALargeOneLeavesItsMemoryToTheNext) {
  const auto large = std::make_shared<LargeChunks>();
  const std::string value(100'000, 'x');
  const auto fill = [&](InMemoryLayer& layer, size_t bytes) {
    for (uint32_t i = 1; layer.bytes() < bytes; ++i) {
      ASSERT_TRUE(put(layer, i, 10, value + std::to_string(i)).ok());
    }
  };
  {
    InMemoryLayer small(large);
    fill(small, LargeChunks::kSize / 2);
    EXPECT_EQ(small.large_chunk_count(), 0U);
    InMemoryLayer layer(large);
    fill(layer, 4 * LargeChunks::kSize);
    EXPECT_EQ(layer.large_chunk_count(), 3U);
    EXPECT_EQ(large->spare(), 0U);
  }
  EXPECT_EQ(large->spare(), 3U);
  {
    InMemoryLayer next(large);
    fill(next, 3 * LargeChunks::kSize);
    EXPECT_EQ(large->spare(), 1U);
    EXPECT_THAT(texts(next.find(key(100), Lsn{10})), ElementsAre(value + "100 at 10"));
    EXPECT_THAT(texts(next.find(key(300), Lsn{10})), ElementsAre(value + "300 at 10"));
  }
  large->trim(2);
  EXPECT_EQ(large->spare(), 2U);
  large->trim(5);
  EXPECT_EQ(large->spare(), 2U);
}

}  // namespace
}  // namespace varve
