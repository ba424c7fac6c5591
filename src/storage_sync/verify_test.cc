#include "storage_sync/verify.h"

#include <gtest/gtest.h>

#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using test_support::kLog;
using test_support::kTenantLog;
using test_support::layer_name;
using test_support::noise;
using test_support::SyncTest;
using testing::ElementsAre;
using testing::IsEmpty;

// What single flipped bytes, truncated, missing and swapped objects come to is in archive_test.cc.
class Verify : public SyncTest {
 protected:
  void commit_two() {
    commit_tenant_log();
    server.add_layer(local_, layer_name(1), noise(1000, 1));
    VARVE_ASSERT_OK(server.upload(local_));
    local_.manifest.metadata.disk_consistent_lsn = Lsn{200};
    server.add_layer(local_, layer_name(2), noise(1000, 2));
    VARVE_ASSERT_OK(server.upload(local_));
  }
  std::vector<std::string> findings(VerifyDepth depth = VerifyDepth::kReferences) {
    std::vector<std::string> lines;
    const VerifyReport report = verify(depth);
    for (const Finding& finding : report.findings) {
      lines.push_back(fmt::format("{} {}", name(finding.kind), finding.object));
    }
    return lines;
  }
  static std::string archive(uint64_t sequence) {
    return ObjectName::archive(kLog, sequence).key();
  }

  LocalManifest local_ = new_timeline();
};

TEST_F(Verify, B3_ACleanPrefixHasNoFindings) {
  EXPECT_THAT(findings(), IsEmpty());
  commit_two();
  const VerifyReport report = verify();
  EXPECT_TRUE(report.findings.empty());
  EXPECT_FALSE(report.damaged());
  EXPECT_EQ(report.objects, 3U);
  EXPECT_EQ(report.bytes_read, 2000U);
}

TEST_F(Verify, B3_WhetherDataIsDamagedIsFoundOnlyByReadingEveryByte) {
  commit_two();
  Bytes damaged = object(archive(1));
  damaged[kObjectHeaderSize + 10] ^= 1;
  overwrite(archive(1), damaged);
  EXPECT_THAT(findings(VerifyDepth::kReferences), IsEmpty());
  EXPECT_THAT(findings(VerifyDepth::kEveryByte), ElementsAre("corrupt " + archive(1)));
}

TEST_F(Verify, B3_AnArchiveThatLiveLayersNeedIsMissed) {
  commit_two();
  ASSERT_TRUE(storage.remove({archive(1)}, {}).ok());
  EXPECT_THAT(findings(), ElementsAre("missing " + archive(1)));
  EXPECT_TRUE(verify().damaged());
}

TEST_F(Verify, B3_AnOldCommitThatNothingNeedsMayBeGone) {
  commit_two();
  local_.manifest.layers.clear();
  VARVE_ASSERT_OK(server.upload(local_));
  ASSERT_TRUE(storage.remove({archive(1), archive(2)}, {}).ok());
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(Verify, B3_PacksOfAnInterruptedUploadAreOrphansAndNoDamage) {
  commit_tenant_log();
  server.context().options = {.inline_limit = 64, .part_size = 500, .pack_limit = 500};
  server.add_layer(local_, layer_name(1), noise(1000, 1));
  server.add_layer(local_, layer_name(2), noise(1000, 2));
  fail({{.operation = Operation::kPut, .fault = Fault::fail_before()}});
  EXPECT_FALSE(server.upload(local_).ok());
  heal();
  const VerifyReport first = verify();
  EXPECT_EQ(first.findings.size(), 2U);
  EXPECT_FALSE(first.damaged());

  VARVE_ASSERT_OK(server.upload(local_));
  const VerifyReport report = verify();
  ASSERT_EQ(report.findings.size(), 2U);
  EXPECT_EQ(report.findings[0].kind, FindingKind::kOrphan);
  EXPECT_FALSE(report.damaged());
}

TEST_F(Verify, B3_PacksThatWereSupersededAreNoOrphans) {
  commit_tenant_log();
  server.context().options.inline_limit = 64;
  server.add_layer(local_, layer_name(1), noise(1000, 1));
  VARVE_ASSERT_OK(server.upload(local_));
  local_.manifest.layers.clear();
  VARVE_ASSERT_OK(server.upload(local_));
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(Verify, B3_ForeignKeysAreListedAndNoDamage) {
  commit_two();
  overwrite("tenants/readme.txt", as_bytes("x"));
  overwrite(kLog.prefix() + "1.archive", as_bytes("x"));
  EXPECT_THAT(findings(), testing::UnorderedElementsAre("foreign tenants/readme.txt",
                                                        "foreign " + kLog.prefix() + "1.archive"));
  EXPECT_FALSE(verify().damaged());
}

TEST_F(Verify, B3_ACommitThatDoesNotFollowTheOneBeforeIsCorrupt) {
  commit_two();
  // Another first commit, valid in itself, in the place of the one that the second follows.
  LocalManifest other = new_timeline(Lsn{5});
  ASSERT_TRUE(storage.remove({archive(1)}, {}).ok());
  std::filesystem::remove(server.directory() / kNonceJournalFileName);
  server.add_layer(other, layer_name(1), noise(1000, 1));
  VARVE_ASSERT_OK(server.upload(other));
  EXPECT_THAT(findings(), ElementsAre("corrupt " + archive(2)));
}

TEST_F(Verify, B3_AReferenceToAMemberThatTheObjectDoesNotHoldIsMissing) {
  commit_two();
  local_.manifest.metadata.disk_consistent_lsn = Lsn{300};
  local_.manifest.layers[0].stored.table_offset += 1;
  VARVE_ASSERT_OK(server.upload(local_));
  EXPECT_THAT(findings(), ElementsAre("missing " + archive(1)));
}

TEST_F(Verify, B3_TimelinesWhoseTenantLogIsGoneAreReported) {
  commit_two();
  ASSERT_TRUE(storage.remove({ObjectName::archive(kTenantLog, 1).key()}, {}).ok());
  EXPECT_THAT(findings(), ElementsAre("missing " + kTenantLog.prefix()));
}

TEST_F(Verify, B3_ATimelineThatTheTenantsLogDoesNotListIsAnOrphan) {
  commit_tenant_log();
  LocalManifest other = new_timeline();
  other.manifest.id.timeline = TimelineId{{9}};
  VARVE_ASSERT_OK(server.upload(other));
  EXPECT_THAT(findings(),
              ElementsAre("orphan " + LogName{kLog.tenant, other.manifest.id.timeline}.prefix()));
}

TEST_F(Verify, W1_AnUnreachableStorageIsAnErrorNotAFinding) {
  commit_two();
  for (const auto operation : {Operation::kList, Operation::kGet}) {
    fail({{.operation = operation, .fault = Fault::fail_before()}});
    EXPECT_TRUE(verify_remote(server.context(), VerifyDepth::kEveryByte, {}, {})
                    .failed_with(ErrorCode::kUnavailable));
  }
}

TEST_F(Verify, ProgressEndsAtTheWhole) {
  commit_two();
  uint64_t last = 0;
  uint64_t whole = 0;
  VARVE_ASSERT_OK(verify_remote(server.context(), VerifyDepth::kReferences,
                                [&](uint64_t done, uint64_t total) {
                                  EXPECT_GE(done, last);
                                  last = done;
                                  whole = total;
                                },
                                {}));
  EXPECT_GT(whole, 0U);
  EXPECT_EQ(last, whole);
}

}  // namespace
}  // namespace varve
