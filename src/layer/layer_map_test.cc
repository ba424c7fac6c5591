#include "layer/layer_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "base/random.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Key key(uint64_t number) {
  Key key;
  key.bytes[0] = static_cast<uint8_t>(number);
  return key;
}

LayerName image(uint64_t start, uint64_t end, uint64_t lsn) {
  return LayerName::image({key(start), key(end)}, Lsn{lsn});
}

LayerName delta(uint64_t start, uint64_t end, uint64_t lsn_start, uint64_t lsn_end) {
  return LayerName::delta({key(start), key(end)}, Lsn{lsn_start}, Lsn{lsn_end});
}

// "2-5@100": the keys from 2 to 5 are answered by the image at 100; "2-5@none": by no layer.
std::vector<std::string> images(const LayerMap& map, uint64_t start, uint64_t end, uint64_t lsn) {
  std::vector<std::string> parts;
  for (const auto& part : map.newest_images({key(start), key(end)}, Lsn{lsn})) {
    parts.push_back(
        fmt::format("{}-{}@{}", part.range.start.bytes[0], part.range.end.bytes[0],
                    part.image ? std::to_string(map.layer(*part.image).lsn_start.value) : "none"));
  }
  return parts;
}

TEST(LayerMap, LayersThatPartitionTheKeysAnswerInTheirOrder) {
  const LayerMap map({image(6, 9, 100), image(1, 3, 100), image(3, 6, 100)});
  EXPECT_THAT(images(map, 1, 9, 100), ElementsAre("1-3@100", "3-6@100", "6-9@100"));
  EXPECT_THAT(images(map, 2, 7, 500), ElementsAre("2-3@100", "3-6@100", "6-7@100"));
  EXPECT_THAT(images(map, 4, 5, 100), ElementsAre("4-5@100"));
}

TEST(LayerMap, TheNewestImageAtOrBelowTheLsnWins) {
  const LayerMap map({image(1, 9, 100), image(1, 9, 300), image(1, 9, 200)});
  EXPECT_THAT(images(map, 1, 9, 100), ElementsAre("1-9@100"));
  EXPECT_THAT(images(map, 1, 9, 199), ElementsAre("1-9@100"));
  EXPECT_THAT(images(map, 1, 9, 200), ElementsAre("1-9@200"));
  EXPECT_THAT(images(map, 1, 9, 1000), ElementsAre("1-9@300"));
}

TEST(LayerMap, ANewerImageOfAFewKeysAnswersForThoseAlone) {
  const LayerMap map({image(1, 9, 100), image(3, 5, 200), image(4, 7, 300)});
  EXPECT_THAT(images(map, 1, 9, 300), ElementsAre("1-3@100", "3-4@200", "4-7@300", "7-9@100"));
  EXPECT_THAT(images(map, 1, 9, 250), ElementsAre("1-3@100", "3-5@200", "5-9@100"));
}

TEST(LayerMap, AGapIsNamedNeverLeftOut) {
  EXPECT_THAT(images(LayerMap(), 1, 9, 100), ElementsAre("1-9@none"));
  EXPECT_THAT(images(LayerMap({image(1, 4, 100), image(5, 9, 100)}), 1, 9, 100),
              ElementsAre("1-4@100", "4-5@none", "5-9@100"));
  EXPECT_THAT(images(LayerMap({image(2, 9, 100)}), 1, 9, 100), ElementsAre("1-2@none", "2-9@100"));
  EXPECT_THAT(images(LayerMap({image(1, 8, 100)}), 1, 9, 100), ElementsAre("1-8@100", "8-9@none"));
  EXPECT_THAT(images(LayerMap({image(1, 9, 101)}), 1, 9, 100), ElementsAre("1-9@none"));
}

TEST(LayerMap, NoKeysNeedNoLayers) {
  EXPECT_THAT(images(LayerMap(), 3, 3, 100), IsEmpty());
  EXPECT_THAT(images(LayerMap({image(1, 9, 100)}), 5, 3, 100), IsEmpty());
  EXPECT_THAT(LayerMap({delta(1, 9, 50, 60)}).deltas({key(5), key(3)}, Lsn{0}, Lsn{100}),
              IsEmpty());
}

TEST(LayerMap, DeltasAndImagesAreFoundApart) {
  const LayerMap map({image(1, 9, 100), delta(1, 9, 101, 200), delta(3, 5, 200, 300)});
  EXPECT_EQ(map.newest_image(key(4), Lsn{250}), 0U);
  EXPECT_EQ(map.newest_delta(key(4), Lsn{250}), 2U);
  EXPECT_EQ(map.newest_delta(key(4), Lsn{199}), 1U);
  EXPECT_EQ(map.newest_delta(key(6), Lsn{250}), 1U) << "a layer above the LSN's start reaches it";
  EXPECT_EQ(map.newest_delta(key(4), Lsn{100}), std::nullopt);
  EXPECT_EQ(map.newest_image(key(9), Lsn{250}), std::nullopt) << "ranges exclude their end";
  EXPECT_THAT(map.deltas({key(1), key(9)}, Lsn{150}, Lsn{400}), ElementsAre(1, 2));
  EXPECT_THAT(map.deltas({key(1), key(9)}, Lsn{200}, Lsn{400}), ElementsAre(2));
  EXPECT_THAT(map.deltas({key(5), key(9)}, Lsn{101}, Lsn{400}), ElementsAre(1));
  EXPECT_THAT(map.deltas({key(1), key(9)}, Lsn{101}, Lsn{199}), ElementsAre(1));
}

// What the map answers, found by looking at every layer.
class Plain {
 public:
  explicit Plain(std::vector<LayerName> layers) : layers_(std::move(layers)) {}

  std::optional<std::tuple<Lsn, Lsn>> newest(bool images, const Key& at, Lsn lsn) const {
    std::optional<std::tuple<Lsn, Lsn>> best;
    for (const LayerName& layer : layers_) {
      if (layer.is_image != images || !layer.keys.contains(at) || layer.lsn_start > lsn) continue;
      best = std::max(best, std::optional(std::tuple(layer.lsn_start, layer.lsn_end)));
    }
    return best;
  }

  std::vector<LayerName> deltas(const KeyRange& range, Lsn start, Lsn last) const {
    std::vector<LayerName> found;
    for (const LayerName& layer : layers_) {
      if (!layer.is_image && layer.keys.overlaps(range) && layer.lsn_start <= last &&
          layer.lsn_end > start) {
        found.push_back(layer);
      }
    }
    std::ranges::sort(found);
    return found;
  }

 private:
  std::vector<LayerName> layers_;
};

class RandomLayers : public testing::TestWithParam<uint64_t> {
 protected:
  uint64_t below(uint64_t bound) { return random_.next() % bound; }

  LayerName any_layer() {
    const uint64_t start = below(20);
    const uint64_t end = start + 1 + below(below(2) == 0 ? 3 : 12);
    const uint64_t lsn = below(60);
    return below(3) == 0 ? image(start, end, lsn) : delta(start, end, lsn, lsn + 1 + below(15));
  }

  SeededRandom random_{GetParam()};
};

TEST_P(RandomLayers, AreFoundAsByLookingAtEachOfThem) {
  std::vector<LayerName> layers(below(40));
  std::ranges::generate(layers, [this] { return any_layer(); });
  const LayerMap map(layers);
  const Plain plain(layers);
  const auto height = [&](std::optional<LayerMap::Index> index) {
    std::optional<std::tuple<Lsn, Lsn>> found;
    if (index) found = std::tuple(map.layer(*index).lsn_start, map.layer(*index).lsn_end);
    return found;
  };

  for (uint64_t number = 0; number < 36; ++number) {
    const Lsn lsn{below(80)};
    EXPECT_EQ(height(map.newest_image(key(number), lsn)), plain.newest(true, key(number), lsn));
    EXPECT_EQ(height(map.newest_delta(key(number), lsn)), plain.newest(false, key(number), lsn));
  }

  const uint64_t start = below(30);
  const KeyRange range{key(start), key(start + 1 + below(10))};
  const Lsn lsn{below(80)};
  Key at = range.start;
  for (const auto& part : map.newest_images(range, lsn)) {
    EXPECT_EQ(part.range.start, at);
    for (uint64_t i = part.range.start.bytes[0]; i < part.range.end.bytes[0]; ++i) {
      EXPECT_EQ(height(part.image), plain.newest(true, key(i), lsn));
    }
    at = part.range.end;
  }
  EXPECT_EQ(at, range.end);

  const Lsn lowest{below(70)};
  std::vector<LayerName> deltas;
  for (const auto index : map.deltas(range, lowest, lsn)) deltas.push_back(map.layer(index));
  EXPECT_TRUE(std::ranges::is_sorted(deltas, {}, &LayerName::lsn_start));
  std::ranges::sort(deltas);
  EXPECT_EQ(deltas, plain.deltas(range, lowest, lsn));
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomLayers, testing::Range<uint64_t>(0, 300));

}  // namespace
}  // namespace varve
