#include "timeline/kept_points.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

constexpr TimelineId id_of(uint8_t number) {
  TimelineId id;
  id.bytes[0] = number;
  return id;
}

TimelineRegistration branch(uint8_t number, uint8_t ancestor, uint64_t lsn, bool deleted = false) {
  return {.id = id_of(number),
          .name = {},
          .ancestor = id_of(ancestor),
          .ancestor_lsn = Lsn{lsn},
          .created_at = {},
          .deleted = deleted};
}

TEST(KeptPoints, AreThoseOfBranchesAndOfTheirBranches) {
  TenantManifest tenant;
  tenant.timelines = {{.id = id_of(1)}, branch(2, 1, 20), branch(3, 1, 30), branch(4, 1, 40, true),
                      branch(5, 2, 15), branch(6, 2, 25), branch(7, 6, 12)};
  // 5 and 7 begin below where their ancestors do: they read further down.
  EXPECT_EQ(find_kept_points(tenant, id_of(1)),
            (std::set<Lsn>{Lsn{12}, Lsn{15}, Lsn{20}, Lsn{30}}));
  EXPECT_EQ(find_kept_points(tenant, id_of(2)), (std::set<Lsn>{Lsn{12}, Lsn{15}, Lsn{25}}));
  EXPECT_EQ(find_kept_points(tenant, id_of(7)), std::set<Lsn>{});
}

TEST(KeptPoints, AreThosePinnedToo) {
  TenantManifest tenant;
  tenant.timelines = {{.id = id_of(1)}, branch(2, 1, 20)};
  tenant.pins = {{.timeline = id_of(1), .lsn = Lsn{11}}, {.timeline = id_of(2), .lsn = Lsn{22}}};
  EXPECT_EQ(find_kept_points(tenant, id_of(1)), (std::set<Lsn>{Lsn{11}, Lsn{20}}));
}

TEST(KeptPoints, AreFoundInACircleToo) {
  TenantManifest tenant;
  tenant.timelines = {branch(1, 2, 10), branch(2, 1, 20)};
  EXPECT_EQ(find_kept_points(tenant, id_of(1)), (std::set<Lsn>{Lsn{10}, Lsn{20}}));
}

}  // namespace
}  // namespace varve
