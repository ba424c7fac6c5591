#include "timeline/layer_eviction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fs/directory.h"
#include "timeline/test_support/manager_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;

LayerName layer(uint64_t lsn) {
  return LayerName::image(KeyRange::all(), Lsn{lsn});
}

EvictableLayer evictable(uint64_t lsn, uint64_t size, int64_t used) {
  return {.timeline = {}, .layer = layer(lsn), .size = size, .used = {used}};
}

std::vector<uint64_t> lsns(const std::vector<EvictableLayer>& layers) {
  std::vector<uint64_t> result;
  for (const EvictableLayer& each : layers) result.push_back(each.layer.lsn_start.value);
  return result;
}

TEST(ChooseEvictions, TakesThoseThatWereNotUsedForTheLongestTime) {
  const std::vector<EvictableLayer> layers{evictable(1, 10, 300), evictable(2, 10, 100),
                                           evictable(3, 10, 200)};
  EXPECT_THAT(lsns(choose_evictions(layers, 1)), ElementsAre(2));
  EXPECT_THAT(lsns(choose_evictions(layers, 10)), ElementsAre(2));
  EXPECT_THAT(lsns(choose_evictions(layers, 11)), ElementsAre(2, 3));
  EXPECT_THAT(lsns(choose_evictions(layers, 1000)), ElementsAre(2, 3, 1));
  EXPECT_TRUE(choose_evictions(layers, 0).empty());
}

class LayerEvictionTest : public test_support::ManagerTest {
 protected:
  void SetUp() override {
    manager_.emplace(open(server).value());
    timelines_.emplace(*manager_, OpenTimelines::Options{.remote = &server.context(),
                                                         .scratch_parent = server.directory()});
    const TenantId tenant = manager_->create_tenant({}, "acme")->id;
    id_ = import(*manager_, tenant, "main")->id;
  }

  std::vector<std::string> files() {
    std::vector<std::string> names;
    const auto entries = list_directory(manager_->store().timeline_directory(id_)).value();
    for (const DirectoryEntry& entry : entries) {
      if (LayerName::parse(entry.name).ok()) names.push_back(entry.name);
    }
    std::ranges::sort(names);
    return names;
  }
  EvictionReport evict(uint64_t high, uint64_t low) {
    return evict_layers(*timelines_, {.high = high, .low = low}, {}).value();
  }
  void put(int key, uint64_t lsn) {
    const auto timeline = timelines_->open(id_, {}).value();
    const Version version{key_of(key), Lsn{lsn}, ValueKind::kImage, as_bytes("new")};
    VARVE_ASSERT_OK(timeline->ingest({.start = Lsn{lsn - 1}, .end = Lsn{lsn}}, {&version, 1}));
    VARVE_ASSERT_OK(timeline->checkpoint());
  }

  std::optional<TenantManager> manager_;
  std::optional<OpenTimelines> timelines_;
  TenantTimelineId id_;
};

TEST_F(LayerEvictionTest, NothingGoesBelowTheHighWatermark) {
  const auto before = files();
  ASSERT_FALSE(before.empty());
  const uint64_t bytes = evict(UINT64_MAX, 0).local_bytes;
  EXPECT_GT(bytes, 0U);
  EXPECT_EQ(evict(bytes, 0).freed.layers, 0U);
  EXPECT_EQ(evict(0, 0).freed.layers, 0U);
  EXPECT_EQ(files(), before);
}

TEST_F(LayerEvictionTest, WhatWasReadStaysTheLongest) {
  for (const int key : {1, 2, 3}) put(key, static_cast<uint64_t>(100 + 10 * key));
  VARVE_ASSERT_OK(manager_->sync_timeline(id_, {}));
  const auto timeline = timelines_->open(id_, {}).value();
  // An image, so that nothing below is read.
  VARVE_ASSERT_OK(timeline->get(key_of(1), Lsn{110}));
  const auto read = LayerName::delta(KeyRange::all(), Lsn{101}, Lsn{111}).to_string();
  const auto size = file_status(manager_->store().timeline_directory(id_) / read).value()->size;
  EXPECT_GT(evict(size, size).freed.layers, 2U);
  EXPECT_THAT(files(), ElementsAre(read));
  // All of it can be read all the same.
  EXPECT_EQ(as_text(timeline->get(key_of(3), Lsn{130}).value()), "new");
  EXPECT_EQ(as_text(timeline->get(key_of(3), Lsn{129}).value()), as_text(value_of(3, 1)));
}

TEST_F(LayerEvictionTest, WhatIsNotRemoteNeverGoes) {
  put(1, 110);
  const EvictionReport report = evict(1, 0);
  EXPECT_GT(report.freed.layers, 0U);
  EXPECT_EQ(files().size(), 1U);
  EXPECT_EQ(as_text(timelines_->open(id_, {}).value()->get(key_of(1), Lsn{110}).value()), "new");
  // Once it is remote it may go.
  VARVE_ASSERT_OK(manager_->sync_timeline(id_, {}));
  EXPECT_EQ(evict(1, 0).freed.layers, 1U);
  EXPECT_TRUE(files().empty());
  EXPECT_EQ(as_text(timelines_->open(id_, {}).value()->get(key_of(1), Lsn{110}).value()), "new");
}

}  // namespace
}  // namespace varve
