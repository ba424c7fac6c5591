#include "timeline/garbage.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

Key key_of(uint64_t number) {
  return test_support::key_at(static_cast<uint8_t>(number));
}

constexpr uint64_t kKeys = 12;
constexpr uint64_t kLsns = 40;

class GarbageTest : public ::testing::Test {
 protected:
  static LayerSnapshot snapshot(const std::vector<LayerName>& names) {
    auto manifest = std::make_shared<TimelineManifest>();
    for (const LayerName& name : names) manifest->layers.push_back({.name = name});
    std::ranges::sort(manifest->layers, {}, &LayerEntry::name);
    return LayerSnapshot(manifest);
  }
  static std::vector<LayerName> names_of(const std::vector<LayerEntry>& layers) {
    std::vector<LayerName> names;
    for (const LayerEntry& layer : layers) names.push_back(layer.name);
    return names;
  }
  static LayerName image(uint64_t start, uint64_t end, uint64_t lsn) {
    return LayerName::image({key_of(start), key_of(end)}, Lsn{lsn});
  }
  static LayerName delta(uint64_t start, uint64_t end, uint64_t first, uint64_t after) {
    return LayerName::delta({key_of(start), key_of(end)}, Lsn{first}, Lsn{after});
  }
};

TEST_F(GarbageTest, WhatANewerImageReplacesIsGarbageOnceNothingBelowItIsRead) {
  const auto layers =
      snapshot({image(0, 10, 10), delta(0, 10, 11, 21), image(0, 10, 20), delta(0, 10, 21, 31)});
  EXPECT_TRUE(find_garbage(layers, {.cutoff = Lsn{19}}).empty());
  EXPECT_EQ(names_of(find_garbage(layers, {.cutoff = Lsn{20}})),
            (std::vector{image(0, 10, 10), delta(0, 10, 11, 21)}));
  EXPECT_EQ(find_garbage(layers, {.cutoff = Lsn{100}}).size(), 2U);
  // Somebody reads at 15: with the older image and the deltas above it.
  EXPECT_TRUE(find_garbage(layers, {.cutoff = Lsn{20}, .pins = {Lsn{15}}}).empty());
  // At 10 only the image is needed.
  EXPECT_EQ(names_of(find_garbage(layers, {.cutoff = Lsn{20}, .pins = {Lsn{10}}})),
            (std::vector{delta(0, 10, 11, 21)}));
}

TEST_F(GarbageTest, AnImageOfSomeKeysReplacesNothingOfTheOthers) {
  const auto layers = snapshot({image(0, 10, 10), delta(0, 10, 11, 21), image(0, 5, 20)});
  EXPECT_TRUE(find_garbage(layers, {.cutoff = Lsn{50}}).empty());
  const auto covered =
      snapshot({image(0, 10, 10), delta(0, 10, 11, 21), image(0, 5, 20), image(5, 10, 25)});
  EXPECT_EQ(find_garbage(covered, {.cutoff = Lsn{50}}).size(), 2U);
  EXPECT_TRUE(find_garbage(covered, {.cutoff = Lsn{24}}).empty());
}

TEST_F(GarbageTest, WhatABranchHasAboveItsAncestorIsKept) {
  const auto layers = snapshot({delta(0, 10, 11, 21), delta(0, 10, 21, 31)});
  EXPECT_TRUE(find_garbage(layers, {.cutoff = Lsn{50}}).empty());
}

// What a read of the key at the LSN looks into.
std::vector<LayerName> needed_by(const std::vector<LayerName>& layers, const Key& key, Lsn lsn) {
  Lsn from{0};
  std::vector<LayerName> needed;
  for (const LayerName& layer : layers) {
    if (!layer.is_image || !layer.keys.contains(key) || lsn < layer.lsn_start) continue;
    if (needed.empty() || needed[0].lsn_start < layer.lsn_start) needed = {layer};
    from = std::max(from, layer.lsn_end);
  }
  for (const LayerName& layer : layers) {
    if (!layer.is_image && layer.keys.contains(key) && layer.lsn_start <= lsn &&
        from < layer.lsn_end) {
      needed.push_back(layer);
    }
  }
  std::ranges::sort(needed);
  return needed;
}

TEST_F(GarbageTest, NoRetainedReadMissesALayer) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SeededRandom random(seed);
    const auto below = [&](uint64_t limit) { return random.next() % limit; };
    std::set<LayerName> names;
    for (uint64_t i = 0; i < 3 + below(20); ++i) {
      const uint64_t start = below(kKeys - 1);
      const uint64_t end = start + 1 + below(kKeys - 1 - start);
      const uint64_t lsn = 1 + below(kLsns - 2);
      names.insert(below(2) == 0 ? image(start, end, lsn)
                                 : delta(start, end, lsn, lsn + 1 + below(kLsns - 1 - lsn)));
    }
    const std::vector<LayerName> all(names.begin(), names.end());
    RetainedLsns retained{.cutoff = Lsn{below(kLsns)}};
    for (uint64_t i = 0; i < below(3); ++i) retained.pins.insert(Lsn{below(kLsns)});

    std::vector<LayerName> kept = all;
    for (const LayerName& name : names_of(find_garbage(snapshot(all), retained))) {
      std::erase(kept, name);
    }
    for (uint64_t lsn = 0; lsn < kLsns; ++lsn) {
      if (Lsn{lsn} < retained.cutoff && !retained.pins.contains(Lsn{lsn})) continue;
      for (uint64_t key = 0; key < kKeys; ++key) {
        EXPECT_EQ(needed_by(kept, key_of(key), Lsn{lsn}), needed_by(all, key_of(key), Lsn{lsn}))
            << "seed " << seed << ", key " << key << " at " << lsn;
      }
    }
  }
}

}  // namespace
}  // namespace varve
