#include "storage_sync/tenant_gc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage_sync/test_support/committed_timeline.h"

namespace varve {
namespace {

using std::chrono::hours;
using test_support::CommittedTimelineTest;
using test_support::kLog;
using test_support::kTenant;
using test_support::kTenantLog;
using test_support::kTimeline;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

class TenantGcTest : public CommittedTimelineTest {
 protected:
  TenantGcTest() {
    LocalTenant local{.head_seen = BootTime{0}, .writer = server.writer};
    local.manifest.id = kTenant;
    tenant_ = std::make_unique<KeptTenant>(directory_.path(), local);
  }

  void change(const TenantChange& change) {
    VARVE_ASSERT_OK(commit_tenant(server.context(), *tenant_, change, {}));
  }
  void register_timeline() {
    change([](TenantManifest& manifest) -> Result<> {
      manifest.timelines.push_back({.id = kTimeline});
      return {};
    });
  }
  void rename(const std::string& name) {
    change([&](TenantManifest& manifest) -> Result<> {
      manifest.name = name;
      return {};
    });
  }
  void delete_timeline() {
    VARVE_ASSERT_OK(upload_timeline(
        server.context(), {.writer = server.writer, .delete_timeline = true}, *kept_, {}, {}));
    change([](TenantManifest& manifest) -> Result<> {
      manifest.timelines.front().deleted = true;
      return {};
    });
  }
  Result<CollectedTenantGarbage> collect() {
    return collect_tenant_garbage(server.context(), *tenant_, {});
  }
  bool has_garbage() {
    return has_tenant_garbage(*tenant_->get(), list_remote(storage, kTenantsPrefix, {}).value());
  }
  static std::string tenant_archive(uint64_t sequence) {
    return ObjectName::archive(kTenantLog, sequence).key();
  }

  TemporaryDirectory directory_ = TemporaryDirectory::create().value();
  std::unique_ptr<KeptTenant> tenant_;
};

TEST_F(TenantGcTest, OfATenantsLogTheNewestCommitStays) {
  register_timeline();
  EXPECT_FALSE(has_garbage());
  rename("a");
  rename("b");
  EXPECT_TRUE(has_garbage());
  clock.advance(hours(1));
  auto collected = collect();
  VARVE_ASSERT_OK(collected);
  EXPECT_EQ(collected->freed.objects, 0U);
  EXPECT_FALSE(collected->complete);
  clock.advance(hours(1));
  collected = collect();
  VARVE_ASSERT_OK(collected);
  EXPECT_EQ(collected->freed.objects, 2U);
  EXPECT_TRUE(collected->complete);
  EXPECT_THAT(keys(), ElementsAre(tenant_archive(3)));
  EXPECT_FALSE(has_garbage());
  // The log goes on.
  rename("c");
  EXPECT_EQ(read_tenant_commit(storage, ObjectName::archive(kTenantLog, 4), {})->manifest.name,
            "c");
}

TEST_F(TenantGcTest, OfADeletedTimelineTheLastCommitStays) {
  server.context().options.inline_limit = 64;
  register_timeline();
  commit({1});
  commit({1, 2});
  clock.advance(hours(5));
  // It is not deleted yet.
  VARVE_ASSERT_OK(collect());
  EXPECT_THAT(keys(), Contains(archive(1)));
  delete_timeline();
  clock.advance(hours(2));
  const auto collected = collect();
  VARVE_ASSERT_OK(collected);
  EXPECT_TRUE(collected->complete);
  EXPECT_EQ(collected->freed.objects, 5U);
  EXPECT_GT(collected->freed.bytes, 6000U);
  EXPECT_THAT(keys(), ElementsAre(tenant_archive(2), archive(3)));
  EXPECT_THAT(verify().findings, IsEmpty());
}

TEST_F(TenantGcTest, ATimelineWhoseLogGoesOnKeepsEverything) {
  register_timeline();
  commit({1});
  commit({2});
  change([](TenantManifest& manifest) -> Result<> {
    manifest.timelines.front().deleted = true;
    return {};
  });
  clock.advance(hours(2));
  VARVE_ASSERT_OK(collect());
  EXPECT_THAT(keys(), Contains(archive(1)));
}

TEST_F(TenantGcTest, OnlyTheOwnerDeletes) {
  register_timeline();
  rename("a");
  clock.advance(hours(2));
  VARVE_ASSERT_OK(tenant_->change([&](LocalTenant& local) -> Result<> {
    local.fence = Fence{.writer = server.writer};
    return {};
  }));
  EXPECT_TRUE(collect().failed_with(ErrorCode::kConflict));
  EXPECT_THAT(keys(), Contains(tenant_archive(1)));
}

TEST_F(TenantGcTest, NothingIsDeletedOfALogThatHasGoneOnWithoutUs) {
  register_timeline();
  rename("a");
  clock.advance(hours(2));
  overwrite(tenant_archive(3), object(tenant_archive(2)));
  EXPECT_TRUE(collect().failed_with(ErrorCode::kConflict));
  EXPECT_THAT(keys(), Contains(tenant_archive(1)));
}

TEST_F(TenantGcTest, TheOwnerOfADeletedTenantClearsUp) {
  register_timeline();
  commit({1});
  delete_timeline();
  change([](TenantManifest& manifest) -> Result<> {
    manifest.deleted = true;
    return {};
  });
  clock.advance(hours(2));
  VARVE_ASSERT_OK(collect());
  EXPECT_THAT(keys(), ElementsAre(tenant_archive(3), archive(2)));
  EXPECT_THAT(keys(), Not(Contains(archive(1))));
}

}  // namespace
}  // namespace varve
