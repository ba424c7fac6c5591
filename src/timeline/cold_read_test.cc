// What the first read of a timeline costs of which nothing is in the work directory.
#include <gtest/gtest.h>

#include "storage_sync/remote_listing.h"
#include "storage_sync/test_support/framed_layer.h"
#include "timeline/test_support/timeline_fixture.h"

namespace varve {
namespace {

using test_support::key_of;
using test_support::kLog;
using test_support::kTenant;
using test_support::kTimeline;
using test_support::much_noise;
using test_support::SyncTest;

constexpr size_t kPageSize = 8192;
constexpr uint64_t kLayerSize = 8 << 20;

// The parameter is the size of the timeline in MiB.
class ColdRead : public SyncTest, public testing::WithParamInterface<uint32_t> {
 protected:
  struct Cost {
    uint64_t requests = 0;
    uint64_t bytes = 0;  // Received.
  };

  static uint32_t pages() { return GetParam() * ((1U << 20) / kPageSize); }
  static Bytes page_of(uint32_t number) { return much_noise(kPageSize, number); }

  // The layer files are gone once they are uploaded.
  void SetUp() override {
    const TemporaryDirectory directory =
        TemporaryDirectory::create("varve-", test_support::scratch()).value();
    auto draft = TimelineDraft::create({.id = {kTenant, kTimeline},
                                        .timelines_directory = directory.path(),
                                        .image_lsn = Lsn{100},
                                        .layer_size = kLayerSize})
                     .value();
    for (uint32_t i = 0; i < pages(); ++i) VARVE_ASSERT_OK(draft.put_image(key_of(i), page_of(i)));
    VARVE_ASSERT_OK(draft.finish({.disk_consistent_lsn = Lsn{100}, .gc_cutoff_lsn = Lsn{100}}));
    KeptTimeline timeline(draft.directory(), draft.manifest());
    VARVE_ASSERT_OK(upload_timeline(server.context(), {.writer = server.writer}, timeline, {}, {}));
    ASSERT_GT(draft.manifest().manifest.layers.size(), 1U);
    forget();
  }

  // What is counted begins here.
  void forget() { before_ = {all_requests(), metered().counts().bytes_received}; }
  Cost cost() const {
    return {all_requests() - before_.requests, metered().counts().bytes_received - before_.bytes};
  }

  // As somebody does who knows nothing but the name of the log.
  TimelineManifest read_newest_manifest() {
    const auto listing = list_remote(storage, kLog.prefix(), {}).value();
    const ObjectName newest = listing.find(kLog)->archives.back().name;
    return read_timeline_commit(storage, newest, {}).value().manifest;
  }

  TimelineReader reader(TimelineManifest manifest) {
    return {std::move(manifest),
            {.cache = {.log = kLog,
                       .remote = &server.context(),
                       .scratch_parent = server.directory(),
                       .pattern = ReadPattern::kOnDemand}}};
  }

 private:
  Cost before_;
};

TEST_P(ColdRead, S19_TheFirstPageCostsTheSameWhateverTheSizeOfTheTimeline) {
  const TimelineManifest manifest = read_newest_manifest();
  EXPECT_LE(cost().requests, 2U);
  EXPECT_LE(cost().bytes, 64U << 10);

  const uint32_t wanted = pages() / 2 + 100;
  TimelineReader cold = reader(manifest);
  forget();
  EXPECT_EQ(cold.get(key_of(wanted), Lsn{100}).value(), page_of(wanted));
  EXPECT_LE(cost().requests, 4U);
  EXPECT_LT(cost().bytes, 3U << 20);
  EXPECT_EQ(cold.fetched().layers, 1U);

  // Its neighbour came with it.
  forget();
  EXPECT_EQ(cold.get(key_of(wanted + 1), Lsn{100}).value(), page_of(wanted + 1));
  EXPECT_EQ(cost().requests, 0U);
}

INSTANTIATE_TEST_SUITE_P(MiB, ColdRead, testing::Values(16, 128),
                         [](const auto& size) { return std::to_string(size.param); });

}  // namespace
}  // namespace varve
