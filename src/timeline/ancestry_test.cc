#include "timeline/ancestry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace varve {
namespace {

using testing::HasSubstr;

class Ancestry : public testing::Test {
 protected:
  static TimelineId id(uint8_t number) { return {{0xAA, number}}; }
  void add(uint8_t number, Lsn end) {
    manifests_[id(number)] = {.id = {{}, id(number)}, .metadata = {.disk_consistent_lsn = end}};
  }
  void add_branch(uint8_t number, Lsn end, uint8_t ancestor, Lsn begin) {
    add(number, end);
    manifests_[id(number)].metadata.ancestor = id(ancestor);
    manifests_[id(number)].metadata.ancestor_lsn = begin;
  }
  Result<std::vector<TimelineManifest>> find(uint8_t number) {
    return find_ancestry(id(number), [&](const TimelineId& wanted) -> Result<TimelineManifest> {
      const auto found = manifests_.find(wanted);
      if (found != manifests_.end()) return found->second;
      return make_error(ErrorCode::kNotFound, "there is no timeline {}", wanted);
    });
  }

  std::map<TimelineId, TimelineManifest> manifests_;
};

TEST_F(Ancestry, ATimelineThatIsNoBranchStandsAlone) {
  add(1, Lsn{100});
  EXPECT_EQ(find(1)->size(), 1U);
}

TEST_F(Ancestry, W5_TheChainGoesFromTheBranchToTheFirstAncestor) {
  add(1, Lsn{100});
  add_branch(2, Lsn{200}, 1, Lsn{100});
  add_branch(3, Lsn{300}, 2, Lsn{150});
  const auto chain = find(3).value();
  ASSERT_EQ(chain.size(), 3U);
  EXPECT_EQ(chain[0].id.timeline, id(3));
  EXPECT_EQ(chain[1].id.timeline, id(2));
  EXPECT_EQ(chain[2].id.timeline, id(1));
}

TEST_F(Ancestry, W5_AMissingLinkIsNamed) {
  add_branch(2, Lsn{200}, 1, Lsn{100});
  const auto chain = find(2);
  ASSERT_TRUE(chain.failed_with(ErrorCode::kNotFound));
  EXPECT_THAT(chain.error().message(), HasSubstr(id(2).to_string()));
  EXPECT_THAT(chain.error().message(), HasSubstr(id(1).to_string()));
}

TEST_F(Ancestry, W5_ACycleIsCorrupted) {
  add_branch(1, Lsn{100}, 1, Lsn{50});
  EXPECT_TRUE(find(1).failed_with(ErrorCode::kCorrupted));
  add_branch(1, Lsn{100}, 3, Lsn{50});
  add_branch(2, Lsn{100}, 1, Lsn{50});
  add_branch(3, Lsn{100}, 2, Lsn{50});
  EXPECT_TRUE(find(2).failed_with(ErrorCode::kCorrupted));
}

TEST_F(Ancestry, W5_AChainWithoutAnEndIsCorrupted) {
  const auto endless = [](const TimelineId& wanted) -> Result<TimelineManifest> {
    TimelineId next = wanted;
    store_little(next.bytes.data(), load_little<uint64_t>(next.bytes.data()) + 1);
    return TimelineManifest{.id = {{}, wanted}, .metadata = {.ancestor = next}};
  };
  EXPECT_TRUE(find_ancestry(id(1), endless).failed_with(ErrorCode::kCorrupted));
}

TEST_F(Ancestry, W5_ABranchAboveWhatIsKnownOfItsAncestorIsNotFound) {
  add(1, Lsn{100});
  add_branch(2, Lsn{200}, 1, Lsn{101});
  EXPECT_TRUE(find(2).failed_with(ErrorCode::kNotFound));
  add(1, Lsn{101});
  EXPECT_TRUE(find(2).ok());
}

}  // namespace
}  // namespace varve
