#include "timeline/tenant_manager.h"

#include <gtest/gtest.h>

#include "timeline/test_support/manager_fixture.h"

namespace varve {
namespace {

using test_support::ManagerTest;
using test_support::Server;
using testing::HasSubstr;

class Tenants : public ManagerTest {
 protected:
  // One tenant with one timeline; both remote.
  void SetUp() override {
    TenantManager manager = open(server).value();
    tenant_ = manager.create_tenant(std::nullopt, "acme").value().id;
    id_ = import(manager, tenant_, "main").value().id;
  }
  std::filesystem::path directory(const Server& of) const {
    return timeline_directory(of.directory(), id_);
  }
  // A checkpoint made by a running server: newer metadata over the same layers.
  void advance(const std::filesystem::path& timeline,
               const std::function<void(TimelineMetadata&)>& change) {
    LocalManifest local = LocalManifest::read(timeline).value();
    change(local.manifest.metadata);
    VARVE_ASSERT_OK(local.write(timeline));
  }
  static void advance_lsn(TimelineMetadata& metadata) { metadata.disk_consistent_lsn.value += 100; }
  static void copy(const std::filesystem::path& from, const std::filesystem::path& to) {
    std::filesystem::remove_all(to);
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
  }
  // The timeline "local/one", where there is no remote storage yet.
  TenantTimelineId make_without_remote(const Server& where) {
    TenantManager manager = open(where, false).value();
    const TenantId tenant = manager.create_tenant(std::nullopt, "local").value().id;
    return import(manager, tenant, "one").value().id;
  }
  TimelineInfo only_timeline(TenantManager& manager) {
    const auto timelines = manager.timelines(tenant_);
    EXPECT_TRUE(timelines.ok()) << timelines.error().message();
    EXPECT_EQ(timelines->size(), 1U);
    return timelines->at(0);
  }

  TenantId tenant_;
  TenantTimelineId id_;
  Server other{storage, clock, 2};
};

TEST(Names, AreLettersDigitsDotsUnderscoresAndHyphensAndNoId) {
  for (const std::string& good : {std::string("a"), std::string("main"), std::string("0-a.b_C"),
                                  std::string(63, 'x'), std::string(31, 'a')}) {
    EXPECT_TRUE(check_name(good).ok()) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("-a"), std::string(".a"), std::string("a/b"), std::string("a b"),
        std::string("\xC3\xA4"), std::string(64, 'x'), std::string(32, 'a')}) {
    EXPECT_TRUE(check_name(bad).failed_with(ErrorCode::kInvalidArgument)) << bad;
  }
}

TEST_F(Tenants, AreFoundByNameAndById) {
  TenantManager manager = open(server).value();
  ASSERT_EQ(manager.tenants().size(), 1U);
  EXPECT_EQ(manager.tenants()[0].timeline_count, 1U);
  EXPECT_TRUE(manager.tenants()[0].owned);
  EXPECT_EQ(manager.tenant("acme")->id, tenant_);
  EXPECT_EQ(manager.tenant(tenant_.to_string())->name, "acme");
  EXPECT_TRUE(manager.tenant("other").failed_with(ErrorCode::kNotFound));
  EXPECT_TRUE(manager.tenant(TenantId{{9}}.to_string()).failed_with(ErrorCode::kNotFound));
  EXPECT_TRUE(manager.tenant("no/name").failed_with(ErrorCode::kInvalidArgument));
}

TEST_F(Tenants, TimelinesAreFoundByNameAndById) {
  TenantManager manager = open(server).value();
  for (const std::string& address : {std::string("acme/main"), tenant_.to_string() + "/main",
                                     "acme/" + id_.timeline.to_string(), id_.to_string()}) {
    ASSERT_TRUE(manager.timeline(address).ok()) << address;
    EXPECT_EQ(manager.timeline(address)->id, id_);
  }
  EXPECT_TRUE(manager.timeline("acme").failed_with(ErrorCode::kInvalidArgument));
  EXPECT_TRUE(manager.timeline("acme/other").failed_with(ErrorCode::kNotFound));
  EXPECT_TRUE(
      manager.timeline("acme/" + TimelineId{{9}}.to_string()).failed_with(ErrorCode::kNotFound));
  expect_readable(manager, id_);
}

TEST_F(Tenants, NamesAndIdsAreUnique) {
  TenantManager manager = open(server).value();
  EXPECT_TRUE(manager.create_tenant(std::nullopt, "acme").failed_with(ErrorCode::kConflict));
  EXPECT_TRUE(manager.create_tenant(tenant_, "x").failed_with(ErrorCode::kConflict));
  EXPECT_TRUE(import(manager, tenant_, "main").failed_with(ErrorCode::kConflict));
  VARVE_EXPECT_OK(import(manager, tenant_, ""));
  VARVE_EXPECT_OK(import(manager, tenant_, ""));
  EXPECT_EQ(manager.timelines(tenant_)->size(), 3U);
}

TEST_F(Tenants, W3_ANewTimelineIsTwoPutsAndNothingElse) {
  TenantManager manager = open(server).value();
  const uint64_t before = all_requests();
  VARVE_ASSERT_OK(import(manager, tenant_, "second"));
  EXPECT_EQ(all_requests() - before, 2U);
  EXPECT_TRUE(verify().findings.empty());
}

TEST_F(Tenants, S4_WithoutARemoteStorageEveryTimelineIsReady) {
  Server alone(storage, clock, 5);
  const uint64_t before = all_requests();
  {
    TenantManager manager = open(alone, false).value();
    const TenantId tenant = manager.create_tenant(std::nullopt, "local").value().id;
    VARVE_ASSERT_OK(import(manager, tenant, "one"));
  }
  TenantManager manager = open(alone, false).value();
  const TimelineInfo info = manager.timeline("local/one").value();
  EXPECT_EQ(info.state, TimelineSyncState::kReady);
  EXPECT_FALSE(info.sync_pending);
  expect_readable(manager, info.id);
  EXPECT_FALSE(manager.sync_timeline(info.id, {}).value());
  VARVE_ASSERT_OK(manager.delete_timeline(info.id));
  EXPECT_TRUE(manager.timelines(info.id.tenant)->empty());
  EXPECT_EQ(all_requests(), before);
}

TEST_F(Tenants, S7_WhatWasMadeWithoutARemoteStorageIsUploadedOnceThereIsOne) {
  Server alone(storage, clock, 5);
  const TenantTimelineId id = make_without_remote(alone);
  TenantManager manager = open(alone).value();
  TimelineInfo info = manager.timeline("local/one").value();
  EXPECT_EQ(info.state, TimelineSyncState::kReady);
  EXPECT_TRUE(info.sync_pending);
  EXPECT_TRUE(manager.sync_timeline(id, {}).value());
  EXPECT_FALSE(manager.sync_timeline(id, {}).value());
  info = manager.timeline("local/one").value();
  EXPECT_FALSE(info.sync_pending);
  EXPECT_EQ(info.remote_consistent_lsn, Lsn{100});
  EXPECT_TRUE(verify().findings.empty());
}

TEST_F(Tenants, ATenantThatIsRemoteIsNotChangedWithoutItsStorage) {
  TenantManager manager = open(server, false).value();
  expect_readable(manager, id_);
  const auto refused = import(manager, tenant_, "second");
  ASSERT_TRUE(refused.failed_with(ErrorCode::kConflict));
  EXPECT_THAT(refused.error().message(), HasSubstr("--remote"));
  EXPECT_TRUE(manager.delete_timeline(id_).failed_with(ErrorCode::kConflict));
  TenantManager again = open(server).value();
  expect_readable(again, id_);
}

TEST_F(Tenants, S7_InSyncIsReadyAndARestartCostsOneListing) {
  const uint64_t before = all_requests();
  TenantManager manager = open(server).value();
  const TimelineInfo info = manager.timeline("acme/main").value();
  EXPECT_EQ(info.state, TimelineSyncState::kReady);
  EXPECT_FALSE(info.sync_pending);
  EXPECT_FALSE(manager.sync_timeline(id_, {}).value());
  EXPECT_EQ(all_requests() - before, 1U);
  EXPECT_EQ(info.remote_consistent_lsn, Lsn{100});
}

TEST_F(Tenants, S7_LocalNewerIsReadyAndUploaded) {
  advance(directory(server), advance_lsn);
  TenantManager manager = open(server).value();
  TimelineInfo info = manager.timeline("acme/main").value();
  EXPECT_EQ(info.state, TimelineSyncState::kReady);
  EXPECT_TRUE(info.sync_pending);
  EXPECT_EQ(info.metadata.disk_consistent_lsn, Lsn{200});
  EXPECT_EQ(info.remote_consistent_lsn, Lsn{100});
  EXPECT_TRUE(manager.sync_timeline(id_, {}).value());
  info = manager.timeline("acme/main").value();
  EXPECT_EQ(info.remote_consistent_lsn, Lsn{200});
}

TEST_F(Tenants, S7_S17_AfterTheLossOfTheWorkDirectoryEverythingIsCloudOnlyAndReadable) {
  TenantManager manager = open(other).value();
  const TimelineInfo info = only_timeline(manager);
  EXPECT_EQ(info.state, TimelineSyncState::kCloudOnly);
  EXPECT_EQ(info.name, "main");
  EXPECT_EQ(info.layer_count, LocalManifest::read(directory(server))->manifest.layers.size());
  EXPECT_FALSE(manager.sync_timeline(id_, {}).value());  // Not downloaded until it is asked for.
  expect_readable(manager, id_);
}

TEST_F(Tenants, S8_StatesAreKnownBeforeAnythingIsTransferred) {
  advance(directory(server), advance_lsn);
  const auto counts = metered().counts();
  const TenantManager manager = open(server).value();
  EXPECT_EQ(requests(Operation::kPut), counts.total(Operation::kPut));
  EXPECT_EQ(metered().counts().bytes_received, counts.bytes_received);
}

TEST_F(Tenants, S6_ASecondWorkDirectoryReadsAndIsRefusedToWriteWithTheRemedy) {
  TenantManager manager = open(other).value();
  EXPECT_FALSE(manager.tenant("acme")->owned);
  expect_readable(manager, id_);
  const auto refused = import(manager, tenant_, "theirs");
  ASSERT_TRUE(refused.failed_with(ErrorCode::kConflict));
  EXPECT_THAT(refused.error().message(), HasSubstr("make changes from there"));
  EXPECT_TRUE(manager.delete_timeline(id_).failed_with(ErrorCode::kConflict));
  EXPECT_TRUE(manager.create_tenant(std::nullopt, "acme").failed_with(ErrorCode::kConflict));
  // The owner goes on.
  TenantManager owner = open(server).value();
  EXPECT_TRUE(owner.tenant("acme")->owned);
  VARVE_EXPECT_OK(import(owner, tenant_, "second"));
}

class OnAnUnknownServer : public ManagerTest {
 protected:
  OnAnUnknownServer() : ManagerTest({.kind = "memory", .conditions_need_proof = true}) {}
};

TEST_F(OnAnUnknownServer, S6_ATenantIsCreatedOnceItsStorageHasProvedToKeepConditions) {
  TenantManager manager = open(server).value();
  const TenantId id = manager.create_tenant(std::nullopt, "acme").value().id;
  EXPECT_EQ(requests(Operation::kPut), 2U) << "the tenant, and the same once more";
  VARVE_EXPECT_OK(import(manager, id, "main"));
}

TEST_F(OnAnUnknownServer, S6_WhereTheConditionIsIgnoredNoTenantIsCreatedAndNothingIsLeft) {
  TenantManager manager = open(server).value();
  fail({{.operation = Operation::kPut, .fault = Fault::ignore_condition(), .skip = 1}});
  const auto refused = manager.create_tenant(std::nullopt, "acme");
  ASSERT_TRUE(refused.failed_with(ErrorCode::kInvalidArgument));
  EXPECT_THAT(refused.error().message(), HasSubstr("If-None-Match"));
  EXPECT_TRUE(keys().empty());
  EXPECT_TRUE(manager.tenants().empty());
  EXPECT_TRUE(open(server)->tenants().empty());
}

TEST_F(Tenants, S7_AnOldCopyOfTheWorkDirectoryAwaitsDownloadUntilItHappened) {
  // Once with newer data remotely, once with a compaction at the same LSN.
  int round = 0;
  for (const auto& change : std::vector<std::function<void(TimelineMetadata&)>>{
           advance_lsn, [](TimelineMetadata& metadata) { ++metadata.system_identifier; }}) {
    const TemporaryDirectory image = TemporaryDirectory::create().value();
    copy(server.directory(), image.path());
    advance(directory(server), change);
    const TimelineMetadata newest = LocalManifest::read(directory(server))->manifest.metadata;
    EXPECT_TRUE(open(server)->sync_timeline(id_, {}).value());
    const size_t objects = keys().size();

    for (int opened = 0; opened < 2; ++opened) {
      TenantManager manager = open_at(image.path(), &server.context()).value();
      const TimelineInfo info = only_timeline(manager);
      EXPECT_EQ(info.state, TimelineSyncState::kAwaitsDownload) << "round " << round;
      EXPECT_TRUE(info.sync_pending);
    }
    TenantManager manager = open_at(image.path(), &server.context()).value();
    expect_readable(manager, id_);
    EXPECT_TRUE(manager.sync_timeline(id_, {}).value());
    EXPECT_FALSE(manager.sync_timeline(id_, {}).value());
    const TimelineInfo info = only_timeline(manager);
    EXPECT_EQ(info.state, TimelineSyncState::kReady);
    EXPECT_EQ(info.metadata, newest);
    EXPECT_EQ(keys().size(), objects);  // Nothing older was committed over it.
    copy(image.path(), server.directory());
    ++round;
  }
}

TEST_F(Tenants, S7_ACommitThatWasNotNotedBeforeACrashIsAdoptedAtTheNextStart) {
  advance(directory(server), advance_lsn);
  const TemporaryDirectory image = TemporaryDirectory::create().value();
  storage.set_script([&](const FaultyCall& call) -> std::optional<Fault> {
    if (call.operation == Operation::kPut) copy(server.directory(), image.path());
    return std::nullopt;
  });
  EXPECT_TRUE(open(server)->sync_timeline(id_, {}).value());
  heal();
  const size_t objects = keys().size();
  TenantManager manager = open_at(image.path(), &server.context()).value();
  const TimelineInfo info = only_timeline(manager);
  EXPECT_EQ(info.state, TimelineSyncState::kReady);
  EXPECT_FALSE(info.sync_pending);
  EXPECT_EQ(info.remote_consistent_lsn, Lsn{200});
  EXPECT_FALSE(manager.sync_timeline(id_, {}).value());
  EXPECT_EQ(keys().size(), objects);
}

TEST_F(Tenants, ARemoteStorageThatWasRolledBackIsRefusedAsDamage) {
  advance(directory(server), advance_lsn);
  EXPECT_TRUE(open(server)->sync_timeline(id_, {}).value());
  const LogName log{id_.tenant, id_.timeline};
  ASSERT_TRUE(storage.remove({ObjectName::archive(log, 2).key()}, {}).ok());
  TenantManager manager = open(server).value();
  const auto refused = manager.timeline("acme/main");
  ASSERT_TRUE(refused.failed_with(ErrorCode::kCorrupted));
  EXPECT_THAT(refused.error().message(), HasSubstr("number 2"));
  EXPECT_TRUE(manager.sync_timeline(id_, {}).failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(import(manager, tenant_, "main").failed_with(ErrorCode::kConflict));

  // The tenant's own log.
  const auto tenant_objects = list_all(storage, LogName{tenant_, {}}.prefix(), {}).value();
  ASSERT_TRUE(storage.remove({tenant_objects.back().key}, {}).ok());
  TenantManager again = open(server).value();
  EXPECT_TRUE(again.tenant("acme").failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(import(again, tenant_, "x").failed_with(ErrorCode::kCorrupted));
}

TEST_F(Tenants, S6_ATimelineTakenOverByAnotherWriterFencesForGood) {
  const auto head =
      read_timeline_commit(storage, ObjectName::archive({id_.tenant, id_.timeline}, 1), {});
  LocalManifest theirs =
      LocalManifest::from_commit({1, head->tail.trailer.checksum()}, head->manifest, {});
  theirs.manifest.metadata.disk_consistent_lsn = Lsn{500};
  VARVE_ASSERT_OK(other.upload(theirs));

  for (int opened = 0; opened < 2; ++opened) {
    TenantManager manager = open(server).value();
    ASSERT_TRUE(manager.tenant("acme")->fence.has_value());
    EXPECT_EQ(manager.tenant("acme")->fence->writer, other.writer);
    EXPECT_EQ(only_timeline(manager).state, TimelineSyncState::kAwaitsDownload);
    EXPECT_TRUE(import(manager, tenant_, "x").failed_with(ErrorCode::kConflict));
    expect_readable(manager, id_);
  }
}

TEST_F(Tenants, S6_ARivalsCommitFoundWhileUploadingFencesTheTenant) {
  TenantManager manager = open(server).value();
  const auto head =
      read_timeline_commit(storage, ObjectName::archive({id_.tenant, id_.timeline}, 1), {});
  LocalManifest theirs =
      LocalManifest::from_commit({1, head->tail.trailer.checksum()}, head->manifest, {});
  theirs.manifest.metadata.disk_consistent_lsn = Lsn{500};
  VARVE_ASSERT_OK(other.upload(theirs));
  EXPECT_TRUE(manager.delete_timeline(id_).failed_with(ErrorCode::kConflict));
  EXPECT_FALSE(manager.tenant("acme")->owned);
  EXPECT_TRUE(import(manager, tenant_, "x").failed_with(ErrorCode::kConflict));
}

TEST_F(Tenants, S5_BrokenDirectoriesAreLeftAloneAndTheOthersGoOn) {
  const auto tenants = server.directory() / "tenants";
  TenantManager before = open(server).value();
  const TenantId second = before.create_tenant(std::nullopt, "second").value().id;
  const TenantId third = before.create_tenant(std::nullopt, "third").value().id;
  const TenantTimelineId broken = import(before, tenant_, "broken").value().id;
  const TenantTimelineId empty = import(before, tenant_, "empty").value().id;
  std::filesystem::create_directory(tenants / "not-an-id");
  test_support::write_plain_file(tenants / "readme", as_bytes("x"));
  test_support::write_plain_file(tenants / TenantId{{7}}.to_string(), as_bytes("x"));
  std::filesystem::create_directory(tenants / TenantId{{8}}.to_string());
  test_support::write_plain_file(tenants / second.to_string() / kTenantFileName, as_bytes("x"));
  test_support::write_plain_file(tenants / third.to_string() / "timelines", as_bytes("x"));
  const auto timelines = tenants / tenant_.to_string() / "timelines";
  std::filesystem::create_directory(timelines / "not-an-id");
  std::filesystem::create_directory(timelines / TimelineId{{9}}.to_string());
  test_support::write_plain_file(timelines / broken.timeline.to_string() / kMetadataFileName,
                                 as_bytes("x"));
  std::filesystem::remove(timelines / empty.timeline.to_string() / kMetadataFileName);

  {  // What is broken here is read from the remote storage, where it can be.
    TenantManager manager = open(server).value();
    EXPECT_EQ(manager.tenants().size(), 1U);
    EXPECT_TRUE(manager.tenant(second.to_string()).failed_with(ErrorCode::kCorrupted));
    EXPECT_FALSE(manager.tenant(third.to_string()).ok());
    EXPECT_EQ(manager.timelines(tenant_)->size(), 3U);
    expect_readable(manager, id_);
    expect_readable(manager, broken);
    expect_readable(manager, empty);
    EXPECT_EQ(manager.timeline("acme/broken")->state, TimelineSyncState::kCloudOnly);
    VARVE_EXPECT_OK(import(manager, tenant_, "new"));
  }
  TenantManager manager = open(server, false).value();
  EXPECT_EQ(manager.timelines(tenant_)->size(), 2U);
  EXPECT_TRUE(manager.timeline("acme/broken").failed_with(ErrorCode::kCorrupted));
  EXPECT_TRUE(manager.timeline("acme/empty").failed_with(ErrorCode::kNotFound));
  expect_readable(manager, id_);
}

TEST_F(Tenants, S5_AMetadataFileOfAnotherTimelineIsRefused) {
  TenantManager before = open(server).value();
  const TenantTimelineId second = import(before, tenant_, "second", 2).value().id;
  std::filesystem::copy_file(timeline_directory(server.directory(), second) / kMetadataFileName,
                             directory(server) / kMetadataFileName,
                             std::filesystem::copy_options::overwrite_existing);
  TenantManager manager = open(server, false).value();
  EXPECT_TRUE(manager.timeline("acme/main").failed_with(ErrorCode::kCorrupted));
  expect_readable(manager, second, 2);
}

TEST_F(Tenants, S5_ADamagedCommitIsLeftAloneAndTheOthersGoOn) {
  TenantManager before = open(server).value();
  const TenantTimelineId second = import(before, tenant_, "second", 2).value().id;
  const std::string key = ObjectName::archive({id_.tenant, id_.timeline}, 1).key();
  Bytes damaged = object(key);
  damaged[damaged.size() - 70] ^= 1;
  overwrite(key, damaged);
  TenantManager manager = open(other).value();
  EXPECT_EQ(only_timeline(manager).id, second);
  EXPECT_TRUE(manager.timeline("acme/main").failed_with(ErrorCode::kCorrupted));
  expect_readable(manager, second, 2);
}

TEST_F(Tenants, W1_AnUnreachableStorageIsAnErrorAndNeverAnEmptyOne) {
  fail({{.operation = Operation::kList, .fault = Fault::fail_before(ErrorCode::kDenied)}});
  EXPECT_TRUE(open(other).failed_with(ErrorCode::kDenied));
  fail({{.operation = Operation::kGet, .fault = Fault::fail_before(ErrorCode::kUnavailable)}});
  EXPECT_TRUE(open(other).failed_with(ErrorCode::kUnavailable));
}

TEST_F(Tenants, W6_AfterADeletionThatFailedTheTimelineGoesOn) {
  for (const bool local : {true, false}) {
    if (!local) std::filesystem::remove_all(directory(server));
    TenantManager manager = open(server).value();
    const auto checkpoint = [&] {
      const auto kept = manager.store().timeline(id_);
      VARVE_ASSERT_OK(kept->change([](LocalManifest& state) -> Result<> {
        advance_lsn(state.manifest.metadata);
        return {};
      }));
    };
    // An upload lands unnoticed, and the deletion that finds out about it fails.
    uint64_t puts = 0;
    storage.set_script([&](const FaultyCall& call) -> std::optional<Fault> {
      if (call.operation != Operation::kPut) return std::nullopt;
      return ++puts == 1 && local ? Fault::fail_after() : Fault::fail_before();
    });
    if (local) {
      checkpoint();
      EXPECT_FALSE(manager.sync_timeline(id_, {}).ok());
    }
    EXPECT_FALSE(manager.delete_timeline(id_).ok());
    storage.set_script(nullptr);
    EXPECT_TRUE(manager.timeline(id_.to_string()).ok());
    checkpoint();
    VARVE_EXPECT_OK(manager.sync_timeline(id_, {}));
    EXPECT_TRUE(manager.tenant(tenant_.to_string())->owned);
  }
}

TEST_F(Tenants, W6_ADeletedTimelineIsGoneEverywhereAndItsNameIsFree) {
  {
    TenantManager manager = open(server).value();
    VARVE_ASSERT_OK(manager.delete_timeline(id_));
    EXPECT_TRUE(manager.timelines(tenant_)->empty());
    EXPECT_TRUE(manager.timeline("acme/main").failed_with(ErrorCode::kNotFound));
    EXPECT_FALSE(std::filesystem::exists(directory(server)));
    VARVE_ASSERT_OK(import(manager, tenant_, "main", 2));
  }
  for (const Server* where : {&server, &other}) {
    TenantManager manager = open(*where).value();
    const TimelineInfo info = only_timeline(manager);
    EXPECT_NE(info.id, id_);
    expect_readable(manager, info.id, 2);
  }
  EXPECT_TRUE(verify().findings.empty());
}

TEST_F(Tenants, W6_ATimelineThatBecameRemoteOnlyLaterEndsItsLogToo) {
  Server alone(storage, clock, 5);
  const TenantTimelineId id = make_without_remote(alone);
  TenantManager manager = open(alone).value();
  VARVE_ASSERT_OK(manager.sync_timeline(id, {}));
  VARVE_ASSERT_OK(manager.delete_timeline(id));
  const auto last =
      read_timeline_commit(storage, ObjectName::archive({id.tenant, id.timeline}, 2), {});
  VARVE_ASSERT_OK(last);
  EXPECT_TRUE(last->manifest.deleted);
}

TEST_F(Tenants, W6_ABranchWhoseDeletionWasCutShortNoLongerKeepsItsParent) {
  TenantManager manager = open(server).value();
  const TenantTimelineId copy = manager.branch_timeline(id_, Lsn{100}, "copy").value().id;
  // Its own log has ended, the tenant's does not say so yet.
  fail({{.operation = Operation::kPut,
         .fault = Fault::fail_before(),
         .key = LogName{tenant_, {}}.prefix()}});
  EXPECT_FALSE(manager.delete_timeline(copy).ok());
  heal();
  VARVE_ASSERT_OK(manager.delete_timeline(id_));
  EXPECT_TRUE(manager.timelines(tenant_)->empty());
  EXPECT_TRUE(open(server)->timelines(tenant_)->empty());
}

TEST_F(Tenants, ABranchThatWasRegisteredUnnoticedKeepsItsName) {
  TenantManager manager = open(server).value();
  fail({{.operation = Operation::kPut,
         .fault = Fault::fail_after(),
         .key = LogName{tenant_, {}}.prefix()}});
  EXPECT_FALSE(manager.branch_timeline(id_, Lsn{100}, "copy").ok());
  heal();
  EXPECT_TRUE(manager.branch_timeline(id_, Lsn{100}, "copy").failed_with(ErrorCode::kConflict));
  EXPECT_EQ(manager.timelines(tenant_)->size(), 2U);
  EXPECT_EQ(open(server)->timelines(tenant_)->size(), 2U);
  expect_readable(manager, manager.timeline("acme/copy")->id);
}

TEST_F(Tenants, AnImportThatIsRemoteAndCannotGetItsPlaceHereIsReadFromTheRemoteStorage) {
  TenantManager manager = open(server).value();
  storage.set_script([&](const FaultyCall& call) -> std::optional<Fault> {
    const auto object = ObjectName::parse(call.key).value();
    if (object.log.is_tenant_log()) return std::nullopt;
    const auto place =
        timeline_directory(server.directory(), {object.log.tenant, object.log.timeline});
    std::filesystem::create_directory(place);
    test_support::write_plain_file(place / "occupied", as_bytes("x"));
    return std::nullopt;
  });
  EXPECT_FALSE(import(manager, tenant_, "second", 2).ok());
  heal();
  const TimelineInfo info = manager.timeline("acme/second").value();
  EXPECT_EQ(info.state, TimelineSyncState::kCloudOnly);
  expect_readable(manager, info.id, 2);
  EXPECT_TRUE(import(manager, tenant_, "second").failed_with(ErrorCode::kConflict));
}

TEST_F(Tenants, AnImportThatIsAbandonedIsNotListedAndItsNameIsFree) {
  TenantManager manager = open(server).value();
  {
    TimelineDraft draft = manager.start_timeline(tenant_, Lsn{100}).value();
    VARVE_ASSERT_OK(draft.put_image(key_of(1), as_bytes("x")));
  }
  EXPECT_EQ(manager.timelines(tenant_)->size(), 1U);
  VARVE_EXPECT_OK(import(manager, tenant_, "again"));
}

TEST_F(Tenants, OnlyOneTenantIsLookedAtWhenOneIsAskedFor) {
  VARVE_ASSERT_OK(open(server)->create_tenant(std::nullopt, "second"));
  TenantManager manager = TenantManager::open({.work_directory = server.directory(),
                                               .remote = &server.context(),
                                               .only_tenant = tenant_})
                              .value();
  EXPECT_EQ(manager.tenants().size(), 1U);
  expect_readable(manager, id_);
}

}  // namespace
}  // namespace varve
