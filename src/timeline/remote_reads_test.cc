#include "timeline/remote_reads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RemoteReadsTest : public testing::Test {
 protected:
  static LayerName layer(uint64_t lsn) { return LayerName::image(KeyRange::all(), Lsn{lsn}); }

  std::vector<uint64_t> recent() {
    std::vector<uint64_t> lsns;
    for (const RemoteRead& read : reads_.recent()) lsns.push_back(read.layer.lsn_start.value);
    return lsns;
  }

  const TenantTimelineId id_{TenantId{{1}}, TimelineId{{2}}};
  const TenantTimelineId other_{TenantId{{1}}, TimelineId{{3}}};
  ManualClock clock_;
  RemoteReads reads_{clock_};
};

TEST_F(RemoteReadsTest, TheLastUsedComesFirstWhicheverTimelineItIsOf) {
  reads_.note_use(id_, layer(1));
  clock_.advance(std::chrono::seconds(1));
  reads_.note_use(other_, layer(2));
  clock_.advance(std::chrono::seconds(1));
  reads_.note_use(id_, layer(3));
  EXPECT_THAT(recent(), ElementsAre(3, 2, 1));
  clock_.advance(std::chrono::seconds(1));
  reads_.note_use(id_, layer(1));
  EXPECT_THAT(recent(), ElementsAre(1, 3, 2));
}

TEST_F(RemoteReadsTest, WhatIsFetchedAddsUpUntilTheLayerIsForgotten) {
  reads_.note_fetched(id_, layer(1), 10);
  reads_.note_fetched(id_, layer(1), 20);
  EXPECT_EQ(reads_.find(id_, layer(1))->fetched, 30U);
  EXPECT_FALSE(reads_.find(other_, layer(1)));
  reads_.note_use(id_, layer(2));
  reads_.forget(id_, [](const LayerName& name) { return name == layer(1); });
  EXPECT_FALSE(reads_.find(id_, layer(1)));
  EXPECT_TRUE(reads_.find(id_, layer(2)));
  reads_.forget(id_);
  EXPECT_THAT(recent(), IsEmpty());
}

TEST_F(RemoteReadsTest, WhatWasNotUsedForLongIsForgotten) {
  reads_.note_fetched(id_, layer(1), 10);
  clock_.advance(RemoteReads::kKept);
  EXPECT_THAT(recent(), ElementsAre(1));
  clock_.advance(std::chrono::seconds(1));
  EXPECT_THAT(recent(), IsEmpty());
  EXPECT_FALSE(reads_.find(id_, layer(1)));
}

// The server may have been stopped for days.
TEST_F(RemoteReadsTest, WhatWasWarmKeepsItsOrderAndCountsFromTheStart) {
  reads_.add_warm(id_, layer(1), {200});
  reads_.add_warm(id_, layer(2), {100});
  reads_.note_use(other_, layer(3));
  EXPECT_THAT(recent(), ElementsAre(3, 1, 2));
  EXPECT_TRUE(reads_.find(id_, layer(1))->was_warm);
  EXPECT_FALSE(reads_.find(other_, layer(3))->was_warm);
  clock_.advance(RemoteReads::kKept + std::chrono::seconds(1));
  EXPECT_THAT(recent(), IsEmpty());
}

TEST_F(RemoteReadsTest, AListDoesNotChangeWhatWasReadSince) {
  reads_.note_use(id_, layer(1));
  const Timestamp used = reads_.find(id_, layer(1))->used;
  reads_.add_warm(id_, layer(1), {100});
  EXPECT_EQ(reads_.find(id_, layer(1))->used, used);
}

}  // namespace
}  // namespace varve
