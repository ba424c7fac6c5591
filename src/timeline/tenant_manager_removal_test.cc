// Detaching and deleting tenants.
#include <gtest/gtest.h>

#include "timeline/test_support/manager_fixture.h"

namespace varve {
namespace {

using test_support::ManagerTest;
using test_support::Server;
using testing::HasSubstr;

// A tenant with a timeline and a branch of it; all remote.
class Removal : public ManagerTest {
 protected:
  void SetUp() override {
    TenantManager manager = open(server).value();
    tenant_ = manager.create_tenant(std::nullopt, "acme").value().id;
    main_ = import(manager, tenant_, "main").value().id;
    branch_ = manager.branch_timeline(main_, Lsn{100}, "branch").value().id;
  }
  std::filesystem::path directory(const TenantTimelineId& id) const {
    return timeline_directory(server.directory(), id);
  }
  std::filesystem::path tenant_directory() const {
    return server.directory() / "tenants" / tenant_.to_string();
  }
  // Cannot be removed like a file.
  static void obstruct(const std::filesystem::path& path) {
    std::filesystem::create_directories(path / "obstacle");
  }
  void checkpoint(TenantManager& manager, const TenantTimelineId& id) {
    VARVE_ASSERT_OK(manager.store().timeline(id)->change([](LocalManifest& state) -> Result<> {
      state.manifest.metadata.disk_consistent_lsn.value += 100;
      return {};
    }));
  }
  void expect_all_readable(TenantManager& manager) {
    EXPECT_EQ(manager.timelines(tenant_)->size(), 2U);
    expect_readable(manager, main_);
    expect_readable(manager, branch_);
  }

  TenantId tenant_;
  TenantTimelineId main_;
  TenantTimelineId branch_;
  Server other{storage, clock, 2};
};

TEST_F(Removal, ADetachedTenantIsOnlyRemoteAndNotOwnedUntilItIsAttachedAgain) {
  TenantManager manager = open(server).value();
  const size_t objects = keys().size();
  VARVE_ASSERT_OK(manager.detach_tenant(tenant_));
  EXPECT_EQ(keys().size(), objects);
  const uint64_t requests = all_requests();
  EXPECT_EQ(manager.timelines(tenant_)->size(), 2U);
  EXPECT_EQ(all_requests(), requests) << "what was here is known";
  for (int opened = 0; opened < 2; ++opened) {
    EXPECT_FALSE(manager.tenant("acme")->owned);
    EXPECT_EQ(manager.timeline("acme/main")->state, TimelineSyncState::kCloudOnly);
    EXPECT_FALSE(std::filesystem::exists(directory(main_)));
    EXPECT_TRUE(import(manager, tenant_, "second").failed_with(ErrorCode::kConflict));
    expect_all_readable(manager);
    manager = open(server).value();
  }
  // Nothing is left to detach.
  VARVE_EXPECT_OK(manager.detach_tenant(tenant_));
  VARVE_ASSERT_OK(manager.attach_tenant(tenant_));
  EXPECT_TRUE(manager.tenant("acme")->owned);
  VARVE_EXPECT_OK(import(manager, tenant_, "second"));
  VARVE_EXPECT_OK(manager.prefetch_timeline(main_, {}));
  EXPECT_EQ(manager.timelines(tenant_)->size(), 3U);
}

TEST_F(Removal, S6_NothingThatADetachLeavesTakesOwnershipByItself) {
  VARVE_ASSERT_OK(open(server)->detach_tenant(tenant_));
  // Not even when the tenant file is lost, and all that is left speaks for itself.
  std::filesystem::remove(tenant_directory() / kTenantFileName);
  EXPECT_FALSE(open(server)->tenant("acme")->owned);
}

TEST_F(Removal, AnotherWorkDirectoryTakesADetachedTenant) {
  TenantManager manager = open(server).value();
  VARVE_ASSERT_OK(manager.detach_tenant(tenant_));
  TenantManager there = open(other).value();
  VARVE_ASSERT_OK(there.attach_tenant(tenant_));
  VARVE_ASSERT_OK(import(there, tenant_, "second"));
  TenantManager again = open(server).value();
  EXPECT_FALSE(again.tenant("acme")->fence.has_value());
  EXPECT_EQ(again.timelines(tenant_)->size(), 3U);
}

TEST_F(Removal, WhatIsNotRemoteKeepsItsTenantAttachedAndIsNamed) {
  TenantManager manager = open(server).value();
  checkpoint(manager, branch_);
  const auto refused = manager.detach_tenant(tenant_);
  ASSERT_TRUE(refused.failed_with(ErrorCode::kConflict));
  EXPECT_THAT(refused.error().message(), HasSubstr(branch_.to_string()));
  EXPECT_THAT(refused.error().message(), HasSubstr("varve timeline checkpoint"));
  EXPECT_TRUE(std::filesystem::exists(directory(main_)));
  EXPECT_TRUE(manager.tenant("acme")->owned);
  VARVE_ASSERT_OK(manager.sync_timeline(branch_, {}));
  VARVE_EXPECT_OK(manager.detach_tenant(tenant_));
}

TEST_F(Removal, WithoutARemoteStorageNothingIsDetached) {
  EXPECT_TRUE(open(server, false)->detach_tenant(tenant_).failed_with(ErrorCode::kConflict));
  Server alone(storage, clock, 5);
  const TenantId local = open(alone, false)->create_tenant(std::nullopt, "local").value().id;
  TenantManager manager = open(alone).value();
  EXPECT_TRUE(manager.detach_tenant(local).failed_with(ErrorCode::kConflict));
  EXPECT_TRUE(manager.tenant("local")->owned);
}

TEST_F(Removal, TheLastCopyOfSomethingIsNotGivenUp) {
  TenantManager manager = open(server).value();
  const std::string key = ObjectName::archive({main_.tenant, main_.timeline}, 1).key();
  const Bytes kept = object(key);
  // The branch's log is whole, main's is gone.
  ASSERT_TRUE(storage.remove({key}, {}).ok());
  EXPECT_TRUE(manager.detach_tenant(tenant_).failed_with(ErrorCode::kCorrupted));
  overwrite(key, kept);
  // Main went on, and what holds its layers is missing.
  checkpoint(manager, main_);
  VARVE_ASSERT_OK(manager.sync_timeline(main_, {}));
  ASSERT_TRUE(storage.remove({key}, {}).ok());
  const auto refused = manager.detach_tenant(tenant_);
  ASSERT_TRUE(refused.failed_with(ErrorCode::kCorrupted));
  EXPECT_THAT(refused.error().message(), HasSubstr(key));
  for (const TenantTimelineId& id : {main_, branch_}) {
    EXPECT_TRUE(std::filesystem::exists(directory(id) / kMetadataFileName));
  }
  EXPECT_TRUE(manager.tenant("acme")->owned);
}

TEST_F(Removal, ADetachThatIsCutShortAnywhereLeavesTheTenantAttachedAndWhole) {
  // In the order of what is removed: of each timeline, the ownership.
  const std::vector<std::filesystem::path> obstacles{
      directory(std::min(main_, branch_)) / "obstacle",
      directory(std::max(main_, branch_)) / "obstacle",
      tenant_directory() / (std::string(kTenantFileName) + std::string(kTemporarySuffix))};
  for (const auto& obstacle : obstacles) {
    SCOPED_TRACE(obstacle.string());
    TenantManager manager = open(server).value();
    VARVE_ASSERT_OK(manager.attach_tenant(tenant_));
    for (const TenantTimelineId& id : {main_, branch_}) {
      VARVE_ASSERT_OK(manager.prefetch_timeline(id, {}));
    }
    obstruct(obstacle);
    EXPECT_FALSE(manager.detach_tenant(tenant_).ok());
    EXPECT_TRUE(manager.tenant("acme")->owned);
    expect_all_readable(manager);
    // As after a crash.
    TenantManager again = open(server).value();
    EXPECT_TRUE(again.tenant("acme")->owned);
    expect_all_readable(again);
    const auto local = again.local_timelines();
    const bool first_stays = obstacle == obstacles.front();
    const bool all_gone = obstacle == obstacles.back();
    EXPECT_EQ(local.size(), first_stays ? 2U : all_gone ? 0U : 1U);
    std::filesystem::remove_all(obstacle);
    VARVE_ASSERT_OK(again.detach_tenant(tenant_));
    EXPECT_FALSE(open(server)->tenant("acme")->owned);
    for (const TenantTimelineId& id : {main_, branch_}) {
      EXPECT_FALSE(std::filesystem::exists(directory(id)));
    }
  }
}

TEST_F(Removal, AFencedTenantIsDetachedAndForgetsItsFence) {
  TenantManager manager = open(server).value();
  TenantManager there = open(other).value();
  VARVE_ASSERT_OK(there.attach_tenant(tenant_));
  manager = open(server).value();
  ASSERT_TRUE(manager.tenant("acme")->fence.has_value());
  VARVE_ASSERT_OK(manager.detach_tenant(tenant_));
  EXPECT_FALSE(manager.tenant("acme")->fence.has_value());
  expect_all_readable(manager);
  EXPECT_TRUE(there.tenant("acme")->owned);
  VARVE_EXPECT_OK(import(there, tenant_, "second"));
}

TEST_F(Removal, W6_ADeletedTenantIsGoneEverywhereAndItsNameIsFree) {
  {
    TenantManager manager = open(server).value();
    VARVE_ASSERT_OK(manager.delete_tenant(tenant_));
    EXPECT_FALSE(std::filesystem::exists(tenant_directory() / "timelines"));
    EXPECT_TRUE(manager.delete_tenant(tenant_).failed_with(ErrorCode::kNotFound));
  }
  for (const Server* where : {&server, &other}) {
    for (int opened = 0; opened < 2; ++opened) {
      TenantManager manager = open(*where).value();
      EXPECT_TRUE(manager.tenants().empty());
      EXPECT_TRUE(manager.tenant("acme").failed_with(ErrorCode::kNotFound));
      EXPECT_TRUE(manager.tenant(tenant_.to_string()).failed_with(ErrorCode::kNotFound));
      EXPECT_TRUE(manager.timeline("acme/main").failed_with(ErrorCode::kNotFound));
      EXPECT_TRUE(manager.local_timelines().empty());
      EXPECT_TRUE(manager.states_at_start().empty());
      EXPECT_TRUE(manager.attach_tenant(tenant_).failed_with(ErrorCode::kNotFound));
      EXPECT_TRUE(import(manager, tenant_, "x").failed_with(ErrorCode::kNotFound));
      const auto taken = manager.create_tenant(tenant_, "again");
      ASSERT_TRUE(taken.failed_with(ErrorCode::kConflict));
      EXPECT_THAT(taken.error().message(), HasSubstr("was deleted"));
    }
  }
  for (const TenantTimelineId& id : {main_, branch_}) {
    EXPECT_TRUE(read_timeline_commit(storage, ObjectName::archive({id.tenant, id.timeline}, 2), {})
                    ->manifest.deleted);
  }
  EXPECT_TRUE(verify().findings.empty());
  const auto again = open(server)->create_tenant(std::nullopt, "acme");
  VARVE_ASSERT_OK(again);
  EXPECT_NE(again->id, tenant_);
}

TEST_F(Removal, W6_ATenantWithoutARemoteStorageIsDeletedToo) {
  Server alone(storage, clock, 5);
  TenantManager manager = open(alone, false).value();
  const TenantId local = manager.create_tenant(std::nullopt, "local").value().id;
  VARVE_ASSERT_OK(import(manager, local, "main"));
  VARVE_ASSERT_OK(manager.delete_tenant(local));
  for (int opened = 0; opened < 2; ++opened) {
    EXPECT_TRUE(manager.tenants().empty());
    EXPECT_TRUE(manager.create_tenant(local, "x").failed_with(ErrorCode::kConflict));
    manager = open(alone, false).value();
  }
  VARVE_EXPECT_OK(manager.create_tenant(std::nullopt, "local"));
}

TEST_F(Removal, OnlyTheOwnerDeletesATenant) {
  TenantManager there = open(other).value();
  EXPECT_TRUE(there.delete_tenant(tenant_).failed_with(ErrorCode::kConflict));
  EXPECT_EQ(open(other)->timelines(tenant_)->size(), 2U);
}

TEST_F(Removal, W6_AnOwnerThatWasAwayFreesWhatAnotherDeleted) {
  TenantManager there = open(other).value();
  VARVE_ASSERT_OK(there.attach_tenant(tenant_));
  VARVE_ASSERT_OK(there.delete_tenant(tenant_));
  TenantManager manager = open(server).value();
  EXPECT_TRUE(manager.tenants().empty());
  EXPECT_FALSE(std::filesystem::exists(tenant_directory() / "timelines"));
}

}  // namespace
}  // namespace varve
