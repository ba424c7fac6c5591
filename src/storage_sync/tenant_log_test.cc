#include "storage_sync/tenant_log.h"

#include <gtest/gtest.h>

#include "storage_sync/remote_listing.h"
#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using test_support::kTenant;
using test_support::kTenantLog;
using test_support::Server;
using test_support::SyncTest;
using testing::HasSubstr;

class TenantLog : public SyncTest {
 protected:
  static LocalTenant new_tenant(const Server& owner) {
    LocalTenant tenant;
    tenant.manifest.id = kTenant;
    tenant.writer = owner.writer;
    tenant.head_seen = BootTime{0};
    return tenant;
  }
  static Result<> change(const Server& by, LocalTenant& tenant, const TenantChange& change) {
    KeptTenant kept(by.directory(), tenant);
    auto result = commit_tenant(by.context(), kept, change, {});
    tenant = *kept.get();
    return result;
  }
  static Result<> rename(const Server& by, LocalTenant& tenant, const std::string& name) {
    return change(by, tenant, [&](TenantManifest& manifest) -> Result<> {
      manifest.name = name;
      return {};
    });
  }
  TenantManifest remote(uint64_t sequence) {
    return read_tenant_commit(storage, ObjectName::archive(kTenantLog, sequence), {})
        .value()
        .manifest;
  }

  Server rival{storage, clock, 2};
};

TEST_F(TenantLog, AChangeIsOnePutAndIsNotedLocally) {
  LocalTenant tenant = new_tenant(server);
  VARVE_ASSERT_OK(rename(server, tenant, "acme"));
  EXPECT_EQ(all_requests(), 1U);
  EXPECT_EQ(tenant.head.sequence, 1U);
  EXPECT_EQ(remote(1), tenant.manifest);
  EXPECT_EQ(LocalTenant::read(server.directory())->manifest, tenant.manifest);
}

TEST_F(TenantLog, AChangeThatIsRefusedSendsNothing) {
  LocalTenant tenant = new_tenant(server);
  const TenantChange refuse = [](TenantManifest&) -> Result<> {
    return make_error(ErrorCode::kConflict, "taken");
  };
  EXPECT_TRUE(change(server, tenant, refuse).failed_with(ErrorCode::kConflict));
  EXPECT_EQ(all_requests(), 0U);
}

TEST_F(TenantLog, AChangeThatLandedUnnoticedIsAdoptedAndTheNextBuildsOnIt) {
  for (const bool restart : {false, true}) {
    LocalTenant tenant = new_tenant(server);
    tenant.manifest.id.bytes[5] = restart ? 1 : 0;
    std::filesystem::remove(server.directory() / kNonceJournalFileName);
    VARVE_ASSERT_OK(rename(server, tenant, "one"));
    fail({{.operation = Operation::kPut, .fault = Fault::fail_after()}});
    const auto add = [](TenantManifest& manifest) -> Result<> {
      manifest.timelines.push_back({.id = TimelineId{{9}}});
      return {};
    };
    EXPECT_TRUE(change(server, tenant, add).failed_with(ErrorCode::kUnavailable));
    EXPECT_TRUE(tenant.manifest.timelines.empty());
    heal();
    if (restart) tenant = LocalTenant::read(server.directory()).value();
    VARVE_ASSERT_OK(rename(server, tenant, "two"));
    EXPECT_EQ(tenant.head.sequence, 3U);
    EXPECT_EQ(tenant.manifest.name, "two");
    EXPECT_EQ(tenant.manifest.timelines.size(), 1U);
    EXPECT_FALSE(tenant.fence.has_value());
  }
}

TEST_F(TenantLog, S6_ARivalsCommitFencesForGoodAndNothingIsOverwritten) {
  LocalTenant tenant = new_tenant(server);
  VARVE_ASSERT_OK(rename(server, tenant, "mine"));
  LocalTenant theirs = tenant;
  theirs.writer = rival.writer;
  VARVE_ASSERT_OK(rename(rival, theirs, "theirs"));

  const auto fenced = rename(server, tenant, "again");
  ASSERT_TRUE(fenced.failed_with(ErrorCode::kConflict));
  EXPECT_THAT(fenced.error().message(), HasSubstr(rival.writer.to_string()));
  EXPECT_EQ(remote(2).name, "theirs");

  // Over a restart, and without another request.
  LocalTenant restarted = LocalTenant::read(server.directory()).value();
  EXPECT_EQ(restarted.fence->writer, rival.writer);
  const uint64_t before = all_requests();
  EXPECT_TRUE(rename(server, restarted, "again").failed_with(ErrorCode::kConflict));
  EXPECT_EQ(all_requests(), before);
}

TEST_F(TenantLog, S6_ANumberThatIsTakenAndGoneOnReadingFences) {
  LocalTenant tenant = new_tenant(server);
  VARVE_ASSERT_OK(rename(server, tenant, "mine"));
  LocalTenant theirs = tenant;
  theirs.writer = rival.writer;
  VARVE_ASSERT_OK(rename(rival, theirs, "theirs"));
  fail({{.operation = Operation::kGet, .fault = Fault::fail_before(ErrorCode::kNotFound)}});
  EXPECT_TRUE(rename(server, tenant, "again").failed_with(ErrorCode::kConflict));
  ASSERT_TRUE(LocalTenant::read(server.directory())->fence.has_value());
  EXPECT_TRUE(LocalTenant::read(server.directory())->fence->writer.is_nil());
}

TEST_F(TenantLog, ATenantOfAnotherWriterIsNotWrittenTo) {
  LocalTenant tenant = new_tenant(server);
  VARVE_ASSERT_OK(rename(server, tenant, "mine"));
  tenant.writer = {};
  EXPECT_TRUE(rename(server, tenant, "other").failed_with(ErrorCode::kConflict));
  EXPECT_EQ(keys().size(), 1U);
}

TEST_F(TenantLog, S6_AListingSaysHowFarEachLogReaches) {
  LocalTenant tenant = new_tenant(server);
  VARVE_ASSERT_OK(rename(server, tenant, "one"));
  VARVE_ASSERT_OK(rename(server, tenant, "two"));
  LocalManifest local = new_timeline();
  VARVE_ASSERT_OK(server.upload(local));
  overwrite("tenants/notes.txt", as_bytes("x"));
  const uint64_t before = requests(Operation::kList);
  const RemoteListing listing = list_remote(storage, kTenantsPrefix, {}).value();
  EXPECT_EQ(requests(Operation::kList) - before, 1U);
  EXPECT_THAT(listing.tenants(), testing::ElementsAre(kTenant));
  EXPECT_EQ(listing.find(kTenantLog)->head_sequence(), 2U);
  EXPECT_EQ(listing.find(test_support::kLog)->head_sequence(), 1U);
  EXPECT_EQ(listing.find({TenantId{{7}}, {}}), nullptr);
  EXPECT_EQ(listing.object_count, 4U);
  EXPECT_THAT(listing.foreign_keys, testing::ElementsAre("tenants/notes.txt"));
}

}  // namespace
}  // namespace varve
