#include "storage_sync/remote_listing.h"

#include <gtest/gtest.h>

#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using std::chrono::seconds;
using test_support::kLog;
using test_support::SyncTest;
using testing::ElementsAre;
using testing::IsEmpty;

class Listing : public SyncTest {
 protected:
  void store(const ObjectName& name) { overwrite(name.key(), as_bytes("x")); }
  ListedLog list() {
    const RemoteListing listing = list_remote(storage, kTenantsPrefix, {}).value();
    return *listing.find(kLog);
  }
  static std::vector<std::string> names(const std::vector<ListedObject>& objects) {
    std::vector<std::string> names;
    for (const ListedObject& object : objects) names.push_back(object.name.file_name());
    return names;
  }

  const ObjectName one_ = ObjectName::archive(kLog, 1, Nonce{{0xAA}});
  const ObjectName two_a_ = ObjectName::archive(kLog, 2, Nonce{{0xAA}});
  const ObjectName two_b_ = ObjectName::archive(kLog, 2, Nonce{{0xBB}});
  const ObjectName two_c_ = ObjectName::archive(kLog, 2, Nonce{{0xCC}});
};

TEST_F(Listing, S6_OfArchivesWithTheSameNumberTheOneThatWasStoredFirstCounts) {
  store(one_);
  store(two_b_);
  clock.advance(seconds(1));
  store(two_c_);
  clock.advance(seconds(1));
  store(two_a_);
  const ListedLog log = list();
  EXPECT_THAT(names(log.archives), ElementsAre(one_.file_name(), two_b_.file_name()));
  EXPECT_THAT(names(log.rivals),
              testing::UnorderedElementsAre(two_a_.file_name(), two_c_.file_name()));
  EXPECT_EQ(log.head_sequence(), 2U);
  EXPECT_EQ(log.find(2)->name, two_b_);
  EXPECT_EQ(log.find(3), nullptr);
}

TEST_F(Listing, S6_OfThoseStoredAtTheSameTimeEverybodyReadsTheSame) {
  store(two_c_);
  store(two_a_);
  store(two_b_);
  EXPECT_THAT(names(list().archives), ElementsAre(two_a_.file_name()));
}

TEST_F(Listing, BothKindsOfNamesMayFollowEachOther) {
  store(one_);
  store(ObjectName::archive(kLog, 2));
  store(ObjectName::archive(kLog, 3, Nonce{{1}}));
  store(ObjectName::pack(kLog, Nonce{{1}}, 0));
  const ListedLog log = list();
  EXPECT_EQ(names(log.archives).size(), 3U);
  EXPECT_THAT(log.rivals, IsEmpty());
  EXPECT_EQ(log.packs.size(), 1U);
  EXPECT_EQ(log.head_sequence(), 3U);
}

TEST_F(Listing, AnArchiveIsFoundByItsNumberAlone) {
  store(one_);
  store(two_b_);
  clock.advance(seconds(1));
  store(two_a_);
  EXPECT_EQ(find_archive(storage, kLog, 1, {}).value(), one_);
  EXPECT_EQ(find_archive(storage, kLog, 2, {}).value(), two_b_);
  EXPECT_TRUE(find_archive(storage, kLog, 3, {}).failed_with(ErrorCode::kNotFound));
}

}  // namespace
}  // namespace varve
