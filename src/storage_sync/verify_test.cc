#include "storage_sync/verify.h"

#include <gtest/gtest.h>

#include "storage_sync/object_seal.h"
#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using test_support::kLog;
using test_support::kTenantLog;
using test_support::layer_name;
using test_support::noise;
using test_support::SyncTest;
using testing::ElementsAre;
using testing::HasSubstr;
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
  void flip(const std::string& key, size_t at) {
    Bytes damaged = object(key);
    damaged[at] ^= 1;
    overwrite(key, damaged);
  }
  // A layer of so many whole frames.
  LayerEntry add_large_layer(uint8_t number, size_t frames) {
    return server.add_layer(local_, layer_name(number), noise(frames * kFrameSize, number));
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
    EXPECT_TRUE(verify_remote(storage, {.depth = VerifyDepth::kEveryByte}, {}, {})
                    .failed_with(ErrorCode::kUnavailable));
  }
}

TEST_F(Verify, B3_ADamagedFrameIsNamedAndTheOthersAreStillChecked) {
  commit_tenant_log();
  const LayerEntry layer = add_large_layer(1, 5);
  VARVE_ASSERT_OK(server.upload(local_));
  // Noise is stored as it is, so that frames lie where they would in the layer file.
  for (const size_t frame : {1, 3, 4}) flip(archive(1), kObjectHeaderSize + frame * kFrameSize + 5);

  const VerifyReport report = verify();
  ASSERT_EQ(report.findings.size(), 2U);
  EXPECT_EQ(report.bytes_read, 2 * kFrameSize);
  for (const Finding& finding : report.findings) {
    EXPECT_EQ(finding.kind, FindingKind::kCorrupt);
    EXPECT_EQ(finding.severity, Severity::kDataLost);
    EXPECT_EQ(finding.object, archive(1));
    EXPECT_EQ(finding.member, layer.name.to_string());
  }
  EXPECT_EQ(report.findings[0].frames, (FrameRun{1, 1, kFrameSize, 2 * kFrameSize}));
  EXPECT_EQ(report.findings[1].frames, (FrameRun{3, 4, 3 * kFrameSize, layer.size}));
  EXPECT_THAT(report.findings[0].detail, HasSubstr("checksum"));
}

TEST_F(Verify, B3_TheFramesThatACutOffObjectLacksAreNamed) {
  commit_tenant_log();
  server.context().options.inline_limit = 64;
  const LayerEntry layer = add_large_layer(1, 4);
  VARVE_ASSERT_OK(server.upload(local_));
  const std::string pack = kLog.prefix() + local_.manifest.layers[0].stored.object;
  const Bytes whole = object(pack);
  // A copy that broke off and was then filled up keeps its size and loses its end.
  Bytes damaged(whole.begin(), whole.begin() + kObjectHeaderSize + 2 * kFrameSize + 10);
  const auto table = static_cast<ptrdiff_t>(local_.manifest.layers[0].stored.table_offset);
  damaged.resize(static_cast<size_t>(table));
  damaged.insert(damaged.end(), whole.begin() + table, whole.end());
  overwrite(pack, damaged);

  const VerifyReport report = verify();
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].frames, (FrameRun{2, 3, 2 * kFrameSize, layer.size}));

  overwrite(pack, ByteView(whole).first(kObjectHeaderSize + 2 * kFrameSize));
  std::vector<std::string> members;
  const VerifyReport of_stump = verify();
  for (const Finding& finding : of_stump.findings) members.push_back(finding.member);
  EXPECT_THAT(members, ElementsAre(layer.name.to_string(), ""));
}

TEST_F(Verify, B3_WhatNoStateNeedsAnyMoreIsAtRiskAndNotLost) {
  commit_two();
  local_.manifest.layers.erase(local_.manifest.layers.begin());
  VARVE_ASSERT_OK(server.upload(local_));
  flip(archive(1), kObjectHeaderSize + 10);
  flip(archive(2), kObjectHeaderSize + 10);
  const VerifyReport report = verify();
  ASSERT_EQ(report.findings.size(), 2U);
  EXPECT_EQ(report.findings[0].severity, Severity::kDataLost);
  EXPECT_EQ(report.findings[0].object, archive(2));
  EXPECT_EQ(report.findings[1].severity, Severity::kDataAtRisk);
  EXPECT_EQ(report.findings[1].object, archive(1));
  EXPECT_TRUE(report.damaged());
}

TEST_F(Verify, B3_TheDataOfACommitWhoseManifestIsUnreadableIsStillChecked) {
  commit_two();
  flip(archive(1), object(archive(1)).size() - 1);
  VerifyReport report = verify();
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].severity, Severity::kDataAtRisk);
  EXPECT_EQ(report.findings[0].member, "");
  EXPECT_EQ(report.bytes_read, 2000U);

  flip(archive(1), kObjectHeaderSize + 10);
  report = verify();
  ASSERT_EQ(report.findings.size(), 2U);
  EXPECT_EQ(report.findings[0].severity, Severity::kDataLost);
  EXPECT_EQ(report.findings[0].member, layer_name(1).to_string());
}

TEST_F(Verify, B3_ADamagedHeaderIsOneFindingAndTheMembersAreStillChecked) {
  commit_two();
  flip(archive(1), 3);
  const VerifyReport report = verify();
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].object, archive(1));
  EXPECT_EQ(report.findings[0].severity, Severity::kDataLost);
  EXPECT_EQ(report.bytes_read, 2000U);
}

TEST_F(Verify, B3_FramesThatAreRightAndNotThoseOfTheLayerAreFound) {
  commit_tenant_log();
  server.add_layer(local_, layer_name(1), noise(1000, 1));
  VARVE_ASSERT_OK(server.upload(local_));
  const ObjectName name = ObjectName::archive(kLog, 1);
  TimelineManifest manifest = committed(1);
  manifest.layers[0].checksum = checksum128(as_bytes("of another file"));
  const auto tail = read_object_tail(storage, name, {}).value();
  Bytes forged = object(name.key());
  forged.resize(tail.trailer.manifest_offset);
  const auto seal = seal_object(name.kind, forged.size(), manifest.encode(), 3).value();
  forged.insert(forged.end(), seal.bytes.begin(), seal.bytes.end());
  overwrite(name.key(), forged);

  EXPECT_THAT(findings(VerifyDepth::kReferences), IsEmpty());
  const VerifyReport report = verify();
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].kind, FindingKind::kCorrupt);
  EXPECT_EQ(report.findings[0].member, layer_name(1).to_string());
  EXPECT_FALSE(report.findings[0].frames);
}

TEST_F(Verify, B3_WhatVanishesWhileItIsReadIsMissing) {
  commit_two();
  fail({{.operation = Operation::kGet,
         .fault = Fault::fail_before(ErrorCode::kNotFound),
         .times = 100,
         .key = archive(1)}});
  const VerifyReport report = verify();
  ASSERT_FALSE(report.findings.empty());
  for (const Finding& finding : report.findings) {
    EXPECT_EQ(finding.kind, FindingKind::kMissing);
    EXPECT_EQ(finding.object, archive(1));
    EXPECT_THAT(finding.detail, HasSubstr("verify again"));
  }
}

TEST_F(Verify, B3_EveryFindingSaysWhatToDo) {
  commit_two();
  overwrite("tenants/readme.txt", as_bytes("x"));
  overwrite(ObjectName::pack({kLog.tenant, TimelineId{{9}}}, Nonce{{1}}, 0).key(), as_bytes("x"));
  flip(archive(1), kObjectHeaderSize + 10);
  const VerifyReport report = verify();
  // The pack is an orphan, and not even one that can be read.
  ASSERT_EQ(report.findings.size(), 4U);
  EXPECT_THAT(report.findings[0].remedy,
              HasSubstr(fmt::format("varve restore {}/{} ", kLog.tenant, kLog.timeline)));
  std::vector<std::string> severities;
  for (const Finding& finding : report.findings) {
    severities.emplace_back(name(finding.severity));
    EXPECT_FALSE(finding.remedy.empty());
  }
  EXPECT_THAT(severities, ElementsAre("data_lost", "data_at_risk", "waste", "foreign"));
}

TEST_F(Verify, B3_TheReportIsTheSameHoweverManyWorkOnIt) {
  commit_tenant_log();
  server.context().options = {.inline_limit = 5000, .part_size = 1000, .pack_limit = 20'000};
  for (uint8_t commit = 0; commit < 8; ++commit) {
    local_.manifest.metadata.disk_consistent_lsn = Lsn{200U + commit};
    for (uint8_t i = 0; i < 10; ++i) {
      const auto number = static_cast<uint8_t>(10 * commit + i);
      server.add_layer(local_, layer_name(number), noise(300U * (1U + commit), number));
    }
    VARVE_ASSERT_OK(server.upload(local_));
  }
  uint64_t seed = 0;
  for (const std::string& key : keys()) {
    const size_t size = object(key).size();
    for (int i = 0; i < 2; ++i) flip(key, SeededRandom(++seed).next() % size);
  }
  const auto check = [&](size_t jobs) {
    return verify_remote(storage, {.depth = VerifyDepth::kEveryByte, .jobs = jobs}, {}, {}).value();
  };
  const VerifyReport alone = check(1);
  EXPECT_GT(alone.findings.size(), 10U);
  EXPECT_TRUE(std::ranges::is_sorted(alone.findings));
  for (const size_t jobs : {2, 7, 64}) {
    const VerifyReport report = check(jobs);
    EXPECT_EQ(report.findings, alone.findings);
    EXPECT_EQ(report.bytes_read, alone.bytes_read);
  }
}

TEST_F(Verify, B3_EveryByteIsReadOnceHoweverManyManifestsReferToIt) {
  commit_tenant_log();
  add_large_layer(1, 3);
  server.add_layer(local_, layer_name(2), noise(3000, 2));
  VARVE_ASSERT_OK(server.upload(local_));
  for (uint64_t i = 0; i < 5; ++i) {
    local_.manifest.metadata.disk_consistent_lsn = Lsn{300 + i};
    VARVE_ASSERT_OK(server.upload(local_));
  }
  const uint64_t before = metered().counts().bytes_received;
  const VerifyReport report = verify();
  EXPECT_EQ(report.bytes_read, 3 * kFrameSize + 3000);
  // What the read of a manifest brings with it comes a second time.
  constexpr uint64_t kTail = 64 << 10;
  EXPECT_LE(metered().counts().bytes_received - before, report.bytes_stored + kTail);
}

TEST_F(Verify, B3_ManySmallMembersAreReadTogether) {
  commit_tenant_log();
  for (int i = 0; i < 200; ++i) {
    Key start = test_support::key_at(1);
    start.bytes[1] = static_cast<uint8_t>(i);
    server.add_layer(local_, LayerName::image({start, start.next()}, Lsn{1}), noise(20'000, 1));
  }
  VARVE_ASSERT_OK(server.upload(local_));
  for (const auto depth : {VerifyDepth::kReferences, VerifyDepth::kEveryByte}) {
    const uint64_t before = requests(Operation::kGet);
    EXPECT_TRUE(verify(depth).findings.empty());
    EXPECT_LE(requests(Operation::kGet) - before, 8U);
  }
}

TEST_F(Verify, W2_AStopRequestEndsIt) {
  commit_two();
  std::stop_source stop;
  const auto result = verify_remote(storage, {.depth = VerifyDepth::kEveryByte},
                                    [&](const VerifyProgress&) { stop.request_stop(); },
                                    {.stop = stop.get_token()});
  EXPECT_TRUE(result.failed_with(ErrorCode::kCancelled));
}

TEST_F(Verify, ProgressOnlyGrowsAndEndsAtTheWhole) {
  commit_two();
  add_large_layer(3, 3);
  VARVE_ASSERT_OK(server.upload(local_));
  overwrite("tenants/readme.txt", as_bytes("what is foreign is not read"));
  flip(archive(2), object(archive(2)).size() - 1);
  for (const auto depth : {VerifyDepth::kReferences, VerifyDepth::kEveryByte}) {
    VerifyProgress last;
    size_t calls = 0;
    VARVE_ASSERT_OK(verify_remote(storage, {.depth = depth, .jobs = 8},
                                  [&](const VerifyProgress& progress) {
                                    ++calls;
                                    EXPECT_GE(progress.bytes_done, last.bytes_done);
                                    EXPECT_GE(progress.objects_done, last.objects_done);
                                    EXPECT_LE(progress.bytes_done, progress.bytes_total);
                                    last = progress;
                                  },
                                  {}));
    EXPECT_EQ(last.objects_total, 4U);
    EXPECT_EQ(last.objects_done, last.objects_total);
    EXPECT_GT(last.bytes_total, 3 * kFrameSize);
    EXPECT_EQ(last.bytes_done, last.bytes_total);
    // Frame by frame where every byte is read.
    if (depth == VerifyDepth::kEveryByte) {
      EXPECT_GE(calls, 8U);
    }
  }
}

}  // namespace
}  // namespace varve
