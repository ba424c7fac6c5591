#include "storage_sync/stale_uploads.h"

#include <gtest/gtest.h>

#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using test_support::kLog;
using test_support::kTenant;
using test_support::SyncTest;
using testing::ElementsAre;
using testing::IsEmpty;

class StaleUploads : public SyncTest {
 protected:
  // An upload whose server died: it is never ended.
  std::string leave_upload(const TenantId& tenant, uint8_t number) {
    const LogName log{tenant, kLog.timeline};
    const ObjectName pack = ObjectName::pack(log, Nonce{{number}}, 0);
    left_.push_back(storage.start_multipart(pack.key(), 100, {}).value());
    EXPECT_TRUE(left_.back()->upload_part(0, Bytes(10), {}).ok());
    return pack.key();
  }
  std::vector<std::string> unfinished() {
    std::vector<std::string> keys;
    const auto uploads = list_uploads_older_than(storage, "", {}, {}).value();
    for (const UnfinishedUpload& upload : uploads) keys.push_back(upload.key);
    return keys;
  }
  std::vector<std::string> findings() {
    std::vector<std::string> lines;
    const VerifyReport report = verify();
    EXPECT_FALSE(report.damaged());
    for (const Finding& finding : report.findings) {
      lines.push_back(fmt::format("{} {}", name(finding.kind), finding.object));
    }
    return lines;
  }

  std::vector<std::unique_ptr<MultipartUpload>> left_;
};

TEST_F(StaleUploads, B1_OnlyOldOnesOfTheTenantAreAborted) {
  const TenantId other{{0x99}};
  leave_upload(kTenant, 1);
  const std::string foreign = leave_upload(other, 2);
  clock.advance(hours(2));
  const std::string young = leave_upload(kTenant, 3);
  clock.advance(minutes(5));
  const auto aborted = abort_stale_uploads(storage, kTenant, hours(1), {});
  VARVE_ASSERT_OK(aborted);
  EXPECT_EQ(aborted->size(), 1U);
  EXPECT_THAT(unfinished(), testing::UnorderedElementsAre(foreign, young));
  EXPECT_FALSE(left_[0]->complete(1, {}).ok());
}

TEST_F(StaleUploads, B1_WithoutAnyItCostsOneRequest) {
  const uint64_t before = all_requests();
  EXPECT_THAT(*abort_stale_uploads(storage, kTenant, {}, {}), IsEmpty());
  EXPECT_EQ(all_requests(), before + 1);
  EXPECT_EQ(requests(Operation::kMultipartList), 1U);
}

TEST_F(StaleUploads, B1_OneThatCannotBeAbortedIsNamedAndKeepsNoOther) {
  const std::string stubborn = leave_upload(kTenant, 1);
  leave_upload(kTenant, 2);
  fail({{.operation = Operation::kMultipartAbort,
         .fault = Fault::fail_before(ErrorCode::kDenied),
         .key = stubborn}});
  const auto aborted = abort_stale_uploads(storage, kTenant, {}, {});
  ASSERT_TRUE(aborted.failed_with(ErrorCode::kDenied));
  EXPECT_THAT(aborted.error().message(), testing::HasSubstr(stubborn));
  EXPECT_THAT(unfinished(), ElementsAre(stubborn));
}

TEST_F(StaleUploads, B3_VerificationListsThoseThatAreNotBeingSentAnyMore) {
  commit_tenant_log();
  const std::string old = leave_upload(kTenant, 1);
  EXPECT_THAT(findings(), IsEmpty()) << "it may still be under way";
  clock.advance(server.context().options.grace_period);
  leave_upload(kTenant, 2);
  EXPECT_THAT(findings(), ElementsAre("unfinished " + old));
}

TEST_F(StaleUploads, B3_WhoMayNotListThemVerifiesTheRest) {
  commit_tenant_log();
  fail({{.operation = Operation::kMultipartList, .fault = Fault::fail_before(ErrorCode::kDenied)}});
  EXPECT_THAT(findings(), IsEmpty());
  fail({{.operation = Operation::kMultipartList, .fault = Fault::fail_before()}});
  EXPECT_TRUE(verify_remote(storage, {}, {}, {}).failed_with(ErrorCode::kUnavailable));
}

}  // namespace
}  // namespace varve
