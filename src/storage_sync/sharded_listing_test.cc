#include "storage_sync/sharded_listing.h"

#include "storage_sync/object_name.h"
#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using test_support::SyncTest;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Lt;

class ShardedListing : public SyncTest {
 protected:
  void store(const std::string& key) {
    VARVE_ASSERT_OK(storage.put(key, Bytes{1}, PutCondition::kNone, {}));
  }
  // So many timelines with random IDs, two archives each.
  void store_timelines(const TenantId& tenant, int count) {
    store(ObjectName::archive({tenant, {}}, 1).key());
    for (int i = 0; i < count; ++i) {
      const LogName log{tenant, random_.next_id<TimelineId>()};
      store(ObjectName::archive(log, 1).key());
      store(ObjectName::archive(log, 2).key());
    }
  }
  static std::vector<std::string> keys_of(const std::vector<ObjectInfo>& objects) {
    std::vector<std::string> keys;
    for (const ObjectInfo& object : objects) keys.push_back(object.key);
    return keys;
  }
  void expect_as_in_turn(std::string_view prefix) {
    const auto sharded = list_in_shards(storage, prefix, {});
    VARVE_ASSERT_OK(sharded);
    const auto in_turn = list_all(storage, prefix, {});
    VARVE_ASSERT_OK(in_turn);
    EXPECT_EQ(keys_of(sharded->objects), keys_of(*in_turn));
  }

  SeededRandom random_{7};
};

TEST_F(ShardedListing, AFewObjectsAreOneRequest) {
  store_timelines(random_.next_id<TenantId>(), 10);
  const uint64_t before = requests(Operation::kList);
  EXPECT_EQ(list_in_shards(storage, kTenantsPrefix, {})->objects.size(), 21U);
  EXPECT_EQ(requests(Operation::kList) - before, 1U);
}

TEST_F(ShardedListing, ManyTimelinesOfOneTenantAreListedAsInTurn) {
  const TenantId tenant = random_.next_id<TenantId>();
  store_timelines(tenant, 3000);
  store("before");
  store("tenants/foreign");
  store(tenant_prefix(tenant) + "zzz");
  // Where a part ends and the next begins.
  store(timelines_prefix(tenant) + "c");
  store("tenants/f");
  const uint64_t before = requests(Operation::kList);
  expect_as_in_turn(kTenantsPrefix);
  // Twice over: 7 pages in turn, and in parts one more at most for each.
  EXPECT_THAT(requests(Operation::kList) - before, Lt(7U + 7U + 32U));
  expect_as_in_turn("");
  expect_as_in_turn(tenant_prefix(tenant));
  expect_as_in_turn(timelines_prefix(tenant));
  expect_as_in_turn(timelines_prefix(tenant) + "9");
}

TEST_F(ShardedListing, ManyTenantsAreListedAsInTurn) {
  for (int i = 0; i < 400; ++i) store_timelines(random_.next_id<TenantId>(), 5);
  expect_as_in_turn(kTenantsPrefix);
}

TEST_F(ShardedListing, ALongLogIsListedAsInTurn) {
  for (uint64_t i = 1; i <= 3500; ++i) store(ObjectName::archive(test_support::kLog, i).key());
  expect_as_in_turn(test_support::kLog.prefix());
}

TEST_F(ShardedListing, APartThatFailsFailsTheWhole) {
  store_timelines(random_.next_id<TenantId>(), 3000);
  fail({{.operation = Operation::kList, .fault = Fault::fail_before(), .skip = 6}});
  EXPECT_TRUE(list_in_shards(storage, kTenantsPrefix, {}).failed_with(ErrorCode::kUnavailable));
}

TEST(ListingBorders, AreTheFirstDigitsOfIdsThatAreStillToCome) {
  const TenantId tenant = TenantId::parse("d0000000000000000000000000000000").value();
  const TimelineId timeline = TimelineId::parse("e0000000000000000000000000000000").value();
  const std::string last = ObjectName::archive({tenant, timeline}, 1).key();
  EXPECT_THAT(listing_borders(kTenantsPrefix, last),
              ElementsAre(timelines_prefix(tenant) + "f", "tenants/e", "tenants/f"));
  EXPECT_THAT(listing_borders(timelines_prefix(tenant), last),
              ElementsAre(timelines_prefix(tenant) + "f"));
  EXPECT_THAT(listing_borders(LogName{tenant, timeline}.prefix(), last), IsEmpty());
  EXPECT_THAT(listing_borders(kTenantsPrefix, "tenants/e-foreign-key"), ElementsAre("tenants/f"));
}

}  // namespace
}  // namespace varve
