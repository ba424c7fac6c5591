#include "timeline/layer_selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Key key(uint8_t first) {
  Key key;
  key.bytes[0] = first;
  return key;
}

LayerEntry image(uint8_t start, uint8_t end, uint64_t lsn) {
  return {.name = LayerName::image({key(start), key(end)}, Lsn{lsn})};
}

// "2-5@100": the keys from 2 to 5 are answered by the image at 100; "2-5@none": by no layer.
std::vector<std::string> select(const std::vector<LayerEntry>& layers, uint8_t start, uint8_t end,
                                uint64_t lsn) {
  std::vector<std::string> parts;
  for (const SelectedLayer& part : select_images(layers, {key(start), key(end)}, Lsn{lsn})) {
    parts.push_back(
        fmt::format("{}-{}@{}", part.range.start.bytes[0], part.range.end.bytes[0],
                    part.layer ? std::to_string(part.layer->name.lsn_start.value) : "none"));
  }
  return parts;
}

TEST(LayerSelection, LayersThatPartitionTheKeysAnswerInTheirOrder) {
  const std::vector<LayerEntry> layers{image(6, 9, 100), image(1, 3, 100), image(3, 6, 100)};
  EXPECT_THAT(select(layers, 1, 9, 100), ElementsAre("1-3@100", "3-6@100", "6-9@100"));
  EXPECT_THAT(select(layers, 2, 7, 500), ElementsAre("2-3@100", "3-6@100", "6-7@100"));
  EXPECT_THAT(select(layers, 4, 5, 100), ElementsAre("4-5@100"));
}

TEST(LayerSelection, TheNewestImageAtOrBelowTheLsnWins) {
  const std::vector<LayerEntry> layers{image(1, 9, 100), image(1, 9, 300), image(1, 9, 200)};
  EXPECT_THAT(select(layers, 1, 9, 100), ElementsAre("1-9@100"));
  EXPECT_THAT(select(layers, 1, 9, 199), ElementsAre("1-9@100"));
  EXPECT_THAT(select(layers, 1, 9, 200), ElementsAre("1-9@200"));
  EXPECT_THAT(select(layers, 1, 9, 1000), ElementsAre("1-9@300"));
}

TEST(LayerSelection, ANewerImageOfAFewKeysAnswersForThoseAlone) {
  const std::vector<LayerEntry> layers{image(1, 9, 100), image(3, 5, 200), image(4, 7, 300)};
  EXPECT_THAT(select(layers, 1, 9, 300), ElementsAre("1-3@100", "3-4@200", "4-7@300", "7-9@100"));
  EXPECT_THAT(select(layers, 1, 9, 250), ElementsAre("1-3@100", "3-5@200", "5-9@100"));
}

TEST(LayerSelection, AGapIsNamedNeverLeftOut) {
  EXPECT_THAT(select({}, 1, 9, 100), ElementsAre("1-9@none"));
  EXPECT_THAT(select({image(1, 4, 100), image(5, 9, 100)}, 1, 9, 100),
              ElementsAre("1-4@100", "4-5@none", "5-9@100"));
  EXPECT_THAT(select({image(2, 9, 100)}, 1, 9, 100), ElementsAre("1-2@none", "2-9@100"));
  EXPECT_THAT(select({image(1, 8, 100)}, 1, 9, 100), ElementsAre("1-8@100", "8-9@none"));
  EXPECT_THAT(select({image(1, 9, 101)}, 1, 9, 100), ElementsAre("1-9@none"));
}

TEST(LayerSelection, DeltaLayersAnswerNoImage) {
  const std::vector<LayerEntry> layers{
      {.name = LayerName::delta({key(1), key(9)}, Lsn{50}, Lsn{100})}};
  EXPECT_THAT(select(layers, 1, 9, 100), ElementsAre("1-9@none"));
}

TEST(LayerSelection, NoKeysNeedNoLayers) {
  EXPECT_THAT(select({}, 3, 3, 100), IsEmpty());
  EXPECT_THAT(select({image(1, 9, 100)}, 5, 3, 100), IsEmpty());
}

}  // namespace
}  // namespace varve
