// Logs in a storage that cannot create an object only if it is absent.
#include "storage_sync/number_by_listing.h"

#include <gtest/gtest.h>

#include <thread>

#include "storage_sync/remote_listing.h"
#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using std::chrono::seconds;
using test_support::kLog;
using test_support::kTenantLog;
using test_support::layer_name;
using test_support::noise;
using test_support::Server;
using test_support::SyncTest;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

const StorageTraits kUnconditional{.kind = "memory", .conditional_put = false};

class NumberByListing : public SyncTest {
 protected:
  NumberByListing() : SyncTest(kUnconditional) {}

  // A timeline with one commit, and then a checkpoint that is not remote yet.
  LocalManifest begun() {
    LocalManifest local = new_timeline();
    server.add_layer(local, layer_name(1), noise(100, 1));
    EXPECT_TRUE(server.upload(local).ok());
    advance(local);
    return local;
  }
  void advance(LocalManifest& local) {
    clock.advance(seconds(1));
    local.manifest.metadata.disk_consistent_lsn.value += 100;
    server.add_layer(local, layer_name(1, local.manifest.metadata.disk_consistent_lsn),
                     noise(100, local.manifest.metadata.disk_consistent_lsn.value));
    EXPECT_TRUE(local.write(server.directory()).ok());
  }
  // The same timeline as another server has it, with something new.
  LocalManifest theirs(const LocalManifest& local) {
    LocalManifest theirs = local;
    theirs.manifest.layers.clear();
    theirs.manifest.metadata.disk_consistent_lsn = Lsn{777};
    return theirs;
  }
  ListedLog listed() {
    const RemoteListing listing = list_remote(storage, kLog.prefix(), {}).value();
    return *listing.find(kLog);
  }
  TimelineManifest head() {
    return read_timeline_commit(storage, kLog, listed().head_sequence(), {}).value().manifest;
  }
  std::vector<std::string> findings() {
    std::vector<std::string> lines;
    const VerifyReport report = verify();
    for (const Finding& finding : report.findings) {
      lines.push_back(fmt::format("{} {}", name(finding.kind), finding.object));
    }
    return lines;
  }

  Server rival{storage, clock, 2};
};

TEST_F(NumberByListing, S6_ACommitBearsItsNonceInItsNameAndIsListedAfterwards) {
  LocalManifest local = begun();
  const uint64_t lists = requests(Operation::kList);
  VARVE_ASSERT_OK(server.upload(local));
  EXPECT_EQ(requests(Operation::kList), lists + 1);
  const ListedLog log = listed();
  ASSERT_EQ(log.archives.size(), 2U);
  EXPECT_EQ(log.archives[1].name.nonce, head().stamp.nonce);
  EXPECT_EQ(local.manifest.layers[1].stored.object, log.archives[1].name.file_name());
  EXPECT_THAT(local.remote_objects, Contains(log.archives[1].name.file_name()));
  EXPECT_TRUE(local.in_sync());
}

TEST_F(NumberByListing, WhatIsStoredComesBackAndVerifies) {
  commit_tenant_log();
  LocalManifest local = begun();
  VARVE_ASSERT_OK(server.upload(local));
  EXPECT_THAT(findings(), IsEmpty());
  const TemporaryDirectory other = TemporaryDirectory::create().value();
  const auto commit = read_timeline_commit(storage, kLog, 2, {});
  VARVE_ASSERT_OK(commit);
  VARVE_ASSERT_OK(test_support::download_timeline(
      server.context(), other.path(),
      LocalManifest::from_commit(local.head, commit->manifest, commit->stored), {}, {}));
  EXPECT_EQ(LocalManifest::read(other.path())->remote_objects, local.remote_objects);
}

TEST_F(NumberByListing, ACommitThatLandedUnnoticedIsAdoptedWithoutASecondArchive) {
  LocalManifest local = begun();
  fail({{.operation = Operation::kPut, .fault = Fault::fail_after()}});
  EXPECT_TRUE(server.upload(local).failed_with(ErrorCode::kUnavailable));
  clock.advance(seconds(1));
  VARVE_ASSERT_OK(server.upload(local));
  EXPECT_EQ(local.head.sequence, 2U);
  EXPECT_TRUE(local.in_sync());
  EXPECT_THAT(listed().rivals, IsEmpty());
  EXPECT_EQ(listed().archives.size(), 2U);
  const auto tail = read_object_tail(storage, listed().archives[1].name, {}).value();
  EXPECT_EQ(local.head.checksum, tail.trailer.checksum());
}

TEST_F(NumberByListing, AListingThatFailedAfterThePutIsMadeUpForByTheNextAttempt) {
  LocalManifest local = begun();
  fail({{.operation = Operation::kList, .fault = Fault::fail_before()}});
  EXPECT_TRUE(server.upload(local).failed_with(ErrorCode::kUnavailable));
  VARVE_ASSERT_OK(server.upload(local));
  EXPECT_EQ(local.head.sequence, 2U);
  EXPECT_EQ(listed().archives.size(), 2U);
}

TEST_F(NumberByListing, AnAttemptThatNeverLandedDoesNotHinderTheNext) {
  LocalManifest local = begun();
  fail({{.operation = Operation::kPut, .fault = Fault::fail_before()}});
  EXPECT_FALSE(server.upload(local).ok());
  VARVE_ASSERT_OK(server.upload(local));
  EXPECT_EQ(listed().archives.size(), 2U);
  EXPECT_THAT(listed().rivals, IsEmpty());
}

TEST_F(NumberByListing, S6_WhoComesSecondIsFencedAndReadersSeeTheFirst) {
  commit_tenant_log();
  LocalManifest local = begun();
  LocalManifest other = theirs(local);
  VARVE_ASSERT_OK(rival.upload(other));
  clock.advance(seconds(1));
  const LocalManifest mine = local;
  const auto result = server.upload(local);
  VARVE_ASSERT_OK(result);
  EXPECT_EQ(result->outcome, UploadOutcome::kFenced);
  ASSERT_TRUE(result->other.has_value());
  EXPECT_EQ(result->other->writer, rival.writer);
  EXPECT_EQ(local.head, mine.head);
  EXPECT_EQ(head().stamp.writer, rival.writer);
  ASSERT_EQ(listed().rivals.size(), 1U);
  EXPECT_THAT(findings(), ElementsAre("orphan " + listed().rivals[0].name.key()));
}

TEST_F(NumberByListing, S6_OfTwoThatWereStoredAtTheSameTimeBothStop) {
  LocalManifest local = begun();
  // The rival's archive is there and its listing is still to come.
  LocalManifest other = theirs(local);
  fail({{.operation = Operation::kList, .fault = Fault::fail_before()}});
  EXPECT_FALSE(rival.upload(other).ok());
  heal();
  EXPECT_EQ(server.upload(local)->outcome, UploadOutcome::kFenced);
  EXPECT_EQ(rival.upload(other)->outcome, UploadOutcome::kFenced);
  EXPECT_EQ(listed().archives.size() + listed().rivals.size(), 3U);
}

TEST_F(NumberByListing, S6_ARivalThatHasGoneOnAndCollectedTheNumberFences) {
  LocalManifest local = begun();
  LocalManifest other = theirs(local);
  VARVE_ASSERT_OK(rival.upload(other));
  const std::string second = listed().archives[1].name.key();
  clock.advance(seconds(1));
  other.manifest.metadata.disk_consistent_lsn = Lsn{888};
  VARVE_ASSERT_OK(rival.upload(other));
  ASSERT_TRUE(storage.remove({second}, {}).ok());
  EXPECT_EQ(server.upload(local)->outcome, UploadOutcome::kFenced);
}

TEST_F(NumberByListing, S6_ATenantsLogIsFencedInTheSameWay) {
  commit_tenant_log();
  const RemoteListing listing = list_remote(storage, kTenantLog.prefix(), {}).value();
  const ObjectName first = listing.find(kTenantLog)->archives.at(0).name;
  EXPECT_FALSE(first.nonce.is_nil());
  VARVE_EXPECT_OK(read_tenant_commit(storage, first, {}));
  clock.advance(seconds(1));
  const TemporaryDirectory directory = TemporaryDirectory::create().value();
  LocalTenant late;
  late.manifest.id = kTenantLog.tenant;
  late.writer = rival.writer;
  KeptTenant kept(directory.path(), late);
  EXPECT_TRUE(
      commit_tenant(rival.context(), kept, [](TenantManifest&) -> Result<> { return {}; }, {})
          .failed_with(ErrorCode::kConflict));
  EXPECT_TRUE(kept.get()->fence.has_value());
}

TEST_F(NumberByListing, AnArchiveUnderAnothersNonceIsCorrupted) {
  LocalManifest local = begun();
  const Bytes content = object(listed().archives[0].name.key());
  const ObjectName other = ObjectName::archive(kLog, 1, Nonce{{9}});
  overwrite(other.key(), content);
  EXPECT_TRUE(read_timeline_commit(storage, other, {}).failed_with(ErrorCode::kCorrupted));
}

TEST_F(NumberByListing, DeltasNameTheirBaseByItsNonceToo) {
  LocalManifest local = new_timeline();
  for (uint8_t i = 0; i < 200; ++i) server.add_layer(local, layer_name(i), noise(20, i));
  VARVE_ASSERT_OK(server.upload(local));
  advance(local);
  VARVE_ASSERT_OK(server.upload(local));
  const auto commit = read_timeline_commit(storage, kLog, 2, {}).value();
  ASSERT_TRUE(commit.stored.base.has_value());
  EXPECT_EQ(commit.stored.base->object, listed().archives[0].name.file_name());
  EXPECT_EQ(commit.manifest.layers, local.manifest.layers);
}

// Objects that were copied into a storage with conditions are read under their names, and the log
// goes on with plain ones.
TEST_F(NumberByListing, ALogGoesOnInAStorageWithConditions) {
  LocalManifest local = begun();
  VARVE_ASSERT_OK(server.upload(local));
  MemoryStorage conditional(clock);
  for (const std::string& key : keys()) {
    ASSERT_TRUE(conditional.put(key, object(key), PutCondition::kIfAbsent, {}).ok());
  }
  const auto commit = read_timeline_commit(conditional, kLog, 2, {});
  VARVE_ASSERT_OK(commit);
  EXPECT_EQ(commit->manifest, head());

  const Server moved(conditional, clock, 4);
  LocalManifest there = LocalManifest::from_commit(local.head, commit->manifest, commit->stored);
  there.head_seen = BootTime{0};
  there.manifest.metadata.disk_consistent_lsn = Lsn{900};
  there.manifest.layers.clear();
  VARVE_ASSERT_OK(moved.upload(there));
  const auto next = read_timeline_commit(conditional, ObjectName::archive(kLog, 3), {});
  VARVE_ASSERT_OK(next);
  // What it superseded is known by its old name.
  std::vector<std::string> retired;
  for (const auto& gone : next->manifest.retired) retired.push_back(gone.object);
  EXPECT_THAT(retired, Contains(commit->stored.object));
}

// However two writers come, never do both win a number, and everybody reads the winner.
TEST(NumberByListingRace, S6_OfTwoWritersAtMostOneWinsANumber) {
  MemoryStorage storage(system_clock(), kUnconditional);
  Server one(storage, system_clock(), 1);
  Server two(storage, system_clock(), 2);
  for (uint8_t round = 1; round <= 60; ++round) {
    const LogName log{test_support::kTenant, TimelineId{{round}}};
    std::array<CommitResult, 2> results;
    const std::array<Server*, 2> writers{&one, &two};
    const Bytes header = encode_object_header(ObjectKind::kTimelineArchive);
    const auto race = [&](size_t i) {
      Server& writer = *writers[i];
      auto journal =
          NonceJournal::open(writer.directory() / fmt::format("attempts{}", round)).value();
      auto taken = commit(writer.context(), journal,
                          {.log = log,
                           .writer = writer.writer,
                           .nonce = writer.random().next_id<Nonce>(),
                           .content = header,
                           .encode_manifest = [&](const CommitStamp& stamp) -> Result<Bytes> {
                             TimelineManifest manifest;
                             manifest.id = {log.tenant, log.timeline};
                             manifest.stamp = stamp;
                             return manifest.encode();
                           }},
                          {});
      ASSERT_TRUE(taken.ok()) << taken.error().message();
      results[i] = *std::move(taken);
    };
    {
      const std::jthread first(race, 0);
      const std::jthread second(race, 1);
    }
    size_t winners = 0;
    for (const CommitResult& result : results) {
      if (result.outcome != CommitOutcome::kCommitted) {
        EXPECT_EQ(result.outcome, CommitOutcome::kFenced);
        continue;
      }
      ++winners;
      EXPECT_EQ(find_archive(storage, log, 1, {}).value(), result.object);
    }
    EXPECT_LE(winners, 1U);
  }
}

}  // namespace
}  // namespace varve
