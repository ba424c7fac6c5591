#include "timeline/timeline_draft.h"

#include <gtest/gtest.h>

#include "layer/layer_reader.h"
#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

class Draft : public testing::Test {
 protected:
  TimelineDraft create(uint64_t layer_size = 1 << 20) {
    return TimelineDraft::create({.id = {test_support::kTenant, test_support::kTimeline},
                                  .timelines_directory = parent(),
                                  .image_lsn = Lsn{100},
                                  .layer_size = layer_size})
        .value();
  }
  std::filesystem::path parent() const { return directory_ / "timelines"; }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    const auto entries = list_directory(parent()).value();
    for (const auto& entry : entries) names.push_back(entry.name);
    return names;
  }
  static void fill(TimelineDraft& draft, int keys) {
    for (int i = 0; i < keys; ++i) {
      Key key = test_support::key_at(5);
      store_big(key.bytes.data() + 14, static_cast<uint32_t>(i));
      VARVE_ASSERT_OK(draft.put_image(key, test_support::noise(1000, static_cast<uint64_t>(i))));
    }
  }

  const TemporaryDirectory directory_ = TemporaryDirectory::create().value();
};

TEST_F(Draft, ItsLayersPartitionTheWholeKeySpace) {
  TimelineDraft draft = create(10'000);
  fill(draft, 100);
  VARVE_ASSERT_OK(draft.finish({.disk_consistent_lsn = Lsn{100}}));
  const auto& layers = draft.manifest().manifest.layers;
  ASSERT_GT(layers.size(), 3U);
  EXPECT_EQ(layers.front().name.keys.start, Key::min());
  EXPECT_EQ(layers.back().name.keys.end, Key::max());
  uint64_t versions = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    const Key expected_start = i == 0 ? Key::min() : layers[i - 1].name.keys.end;
    EXPECT_EQ(layers[i].name.keys.start, expected_start);
    const auto path = draft.directory() / layers[i].name.to_string();
    EXPECT_TRUE(layer_file_is_intact(path, layers[i], {}).value());
    versions += LayerReader::open(path)->version_count();
  }
  EXPECT_EQ(versions, 100U);
}

TEST_F(Draft, PublishedItIsThereWholeUnderItsId) {
  TimelineDraft draft = create();
  fill(draft, 3);
  VARVE_ASSERT_OK(draft.finish({.disk_consistent_lsn = Lsn{100}}));
  VARVE_ASSERT_OK(draft.publish());
  const std::string id = test_support::kTimeline.to_string();
  EXPECT_THAT(names(), testing::ElementsAre(id));
  EXPECT_EQ(LocalManifest::read(parent() / id)->manifest, draft.manifest().manifest);
}

TEST_F(Draft, AbandonedAtAnyStageItLeavesNothing) {
  {
    const TimelineDraft empty = create();
  }
  EXPECT_TRUE(names().empty());
  {
    TimelineDraft begun = create(2000);
    fill(begun, 10);
    EXPECT_EQ(names().size(), 1U);
  }
  EXPECT_TRUE(names().empty());
  {
    TimelineDraft finished = create();
    fill(finished, 10);
    VARVE_ASSERT_OK(finished.finish({}));
    const TimelineDraft moved = std::move(finished);
    EXPECT_EQ(names().size(), 1U);
  }
  EXPECT_TRUE(names().empty());
}

TEST_F(Draft, WithoutDataItIsNoTimeline) {
  TimelineDraft draft = create();
  EXPECT_TRUE(draft.finish({}).failed_with(ErrorCode::kInvalidArgument));
}

TEST_F(Draft, KeysOutOfOrderAreRefused) {
  TimelineDraft draft = create();
  VARVE_ASSERT_OK(draft.put_image(test_support::key_at(5), as_bytes("x")));
  EXPECT_TRUE(draft.put_image(test_support::key_at(4), as_bytes("x"))
                  .failed_with(ErrorCode::kInvalidArgument));
}

}  // namespace
}  // namespace varve
