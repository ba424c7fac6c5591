// Commits whose acknowledgement is lost, restarts, and rivals.
#include "storage_sync/remote_log.h"

#include <gtest/gtest.h>

#include <thread>

#include "remote_storage/retrying.h"
#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using test_support::kLog;
using test_support::kTenant;
using test_support::kTimeline;
using test_support::layer_name;
using test_support::noise;
using test_support::Server;
using test_support::SyncTest;

class RemoteLog : public SyncTest {
 protected:
  // A timeline with one commit, and then a checkpoint that is not remote yet.
  LocalManifest begun() {
    LocalManifest local = new_timeline();
    server.add_layer(local, layer_name(1), noise(100, 1));
    EXPECT_TRUE(server.upload(local).ok());
    advance(local);
    return local;
  }
  void advance(LocalManifest& local) {
    local.manifest.metadata.disk_consistent_lsn.value += 100;
    server.add_layer(local, layer_name(1, local.manifest.metadata.disk_consistent_lsn),
                     noise(100, local.manifest.metadata.disk_consistent_lsn.value));
    EXPECT_TRUE(local.write(server.directory()).ok());
  }
  void lose_acknowledgement_of_put() {
    fail({{.operation = Operation::kPut, .fault = Fault::fail_after()}});
  }
  std::string archive(uint64_t sequence) { return ObjectName::archive(kLog, sequence).key(); }

  Server rival{storage, clock, 2};
};

TEST_F(RemoteLog, ACommitThatLandedUnnoticedIsAdoptedByTheNextAttempt) {
  LocalManifest local = begun();
  lose_acknowledgement_of_put();
  EXPECT_TRUE(server.upload(local).failed_with(ErrorCode::kUnavailable));
  EXPECT_EQ(local.head.sequence, 1U);
  const Bytes landed = object(archive(2));

  const auto again = server.upload(local);
  VARVE_ASSERT_OK(again);
  EXPECT_EQ(again->outcome, UploadOutcome::kUploaded);
  EXPECT_TRUE(local.in_sync());
  EXPECT_EQ(local.head.sequence, 2U);
  EXPECT_EQ(local.remote_consistent_lsn, Lsn{200});
  EXPECT_EQ(object(archive(2)), landed);
  EXPECT_EQ(keys().size(), 2U);
  EXPECT_EQ(LocalManifest::read(server.directory())->head, local.head);
}

TEST_F(RemoteLog, ACommitThatLandedUnnoticedIsAdoptedAfterARestart) {
  LocalManifest local = begun();
  lose_acknowledgement_of_put();
  EXPECT_FALSE(server.upload(local).ok());
  LocalManifest restarted = LocalManifest::read(server.directory()).value();
  advance(restarted);
  VARVE_ASSERT_OK(server.upload(restarted));
  // What was committed is adopted, and what came later goes into the next number.
  const uint64_t head = restarted.head.sequence;
  EXPECT_EQ(committed(head - 1).metadata.disk_consistent_lsn, Lsn{200});
  EXPECT_EQ(committed(head).metadata.disk_consistent_lsn, Lsn{300});
  EXPECT_EQ(committed(head).layers[1].stored.object,
            ObjectName::archive(kLog, head - 1).file_name());
  EXPECT_EQ(committed(head).layers[2].stored.object, ObjectName::archive(kLog, head).file_name());
}

TEST_F(RemoteLog, AttemptsThatNeverLandedDoNotHinderTheNext) {
  LocalManifest local = begun();
  fail({{.operation = Operation::kPut, .fault = Fault::fail_before(), .times = 3}});
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(server.upload(local).failed_with(ErrorCode::kUnavailable));
  }
  EXPECT_EQ(server.upload(local)->outcome, UploadOutcome::kUploaded);
  EXPECT_EQ(local.head.sequence, 2U);
  EXPECT_TRUE(local.in_sync());
}

TEST_F(RemoteLog, ARetriedPutWhoseFirstAttemptLandedIsTheCommitThatWasAskedFor) {
  auto faulty = std::make_unique<Faulty>(
      std::make_unique<MemoryStorage>(clock),
      fault_rules({{.operation = Operation::kPut, .fault = Fault::fail_after()}}), clock);
  Retrying retrying(std::move(faulty), {.clock = &clock});
  Server patient(retrying, clock, 3);
  LocalManifest local = new_timeline();
  patient.add_layer(local, layer_name(1), noise(100, 1));
  EXPECT_EQ(patient.upload(local)->outcome, UploadOutcome::kUploaded);
  EXPECT_TRUE(local.in_sync());
  EXPECT_EQ(local.manifest.layers[0].stored.object, ObjectName::archive(kLog, 1).file_name());
}

TEST_F(RemoteLog, S6_ARivalsCommitFencesAndIsNotOverwritten) {
  LocalManifest local = begun();
  LocalManifest theirs = LocalManifest::from_commit(local.head, committed(1), {});
  theirs.manifest.metadata.disk_consistent_lsn = Lsn{777};
  VARVE_ASSERT_OK(rival.upload(theirs));
  const Bytes before = object(archive(2));

  const LocalManifest mine = local;
  const auto result = server.upload(local);
  VARVE_ASSERT_OK(result);
  EXPECT_EQ(result->outcome, UploadOutcome::kFenced);
  ASSERT_TRUE(result->other.has_value());
  EXPECT_EQ(result->other->writer, rival.writer);
  EXPECT_EQ(local.head, mine.head);
  EXPECT_EQ(local.manifest, mine.manifest);
  EXPECT_EQ(object(archive(2)), before);
  EXPECT_EQ(keys().size(), 2U);
}

TEST_F(RemoteLog, S6_AnAttemptThatLandedIsNotMistakenForARivalsNorTheOtherWayRound) {
  LocalManifest local = begun();
  // Mine at 2 lands unnoticed, and a rival that saw it commits 3.
  lose_acknowledgement_of_put();
  EXPECT_FALSE(server.upload(local).ok());
  heal();
  const auto second = read_timeline_commit(storage, ObjectName::archive(kLog, 2), {}).value();
  LocalManifest theirs =
      LocalManifest::from_commit({2, second.tail.trailer.checksum()}, second.manifest, {});
  theirs.manifest.metadata.disk_consistent_lsn = Lsn{777};
  VARVE_ASSERT_OK(rival.upload(theirs));

  advance(local);
  EXPECT_EQ(server.upload(local)->outcome, UploadOutcome::kFenced);
  EXPECT_EQ(local.head.sequence, 2U);  // Its own commit was adopted on the way.
  EXPECT_EQ(committed(3).stamp.writer, rival.writer);
}

TEST_F(RemoteLog, S6_ANumberThatIsTakenAndGoneOnReadingFences) {
  LocalManifest local = begun();
  LocalManifest theirs = LocalManifest::from_commit(local.head, committed(1), {});
  theirs.manifest.metadata.disk_consistent_lsn = Lsn{777};
  VARVE_ASSERT_OK(rival.upload(theirs));
  fail({{.operation = Operation::kGet, .fault = Fault::fail_before(ErrorCode::kNotFound)}});
  const auto result = server.upload(local);
  VARVE_ASSERT_OK(result);
  EXPECT_EQ(result->outcome, UploadOutcome::kFenced);
  EXPECT_FALSE(result->other.has_value());
}

TEST_F(RemoteLog, W1_ATakenNumberThatCannotBeReadDecidesNothing) {
  LocalManifest local = begun();
  lose_acknowledgement_of_put();
  EXPECT_FALSE(server.upload(local).ok());
  for (const auto code : {ErrorCode::kUnavailable, ErrorCode::kDenied, ErrorCode::kThrottled}) {
    fail({{.operation = Operation::kGet, .fault = Fault::fail_before(code)}});
    EXPECT_TRUE(server.upload(local).failed_with(code));
    EXPECT_EQ(local.head.sequence, 1U);
  }
  heal();
  EXPECT_EQ(server.upload(local)->outcome, UploadOutcome::kUploaded);
  EXPECT_EQ(local.head.sequence, 2U);
}

TEST_F(RemoteLog, ANonceIsDurableBeforeItIsSent) {
  LocalManifest local = begun();
  lose_acknowledgement_of_put();
  EXPECT_FALSE(server.upload(local).ok());
  heal();
  EXPECT_TRUE(NonceJournal::open(server.directory() / kNonceJournalFileName)
                  ->contains(committed(2).stamp.nonce));
}

TEST_F(RemoteLog, EachCommitNamesTheChecksumOfTheOneBefore) {
  LocalManifest local = begun();
  VARVE_ASSERT_OK(server.upload(local));
  const auto first = read_timeline_commit(storage, ObjectName::archive(kLog, 1), {}).value();
  EXPECT_EQ(first.manifest.stamp.predecessor_checksum, 0U);
  EXPECT_EQ(committed(2).stamp.predecessor_checksum, first.tail.trailer.checksum());
  EXPECT_EQ(committed(2).stamp.writer_version, VARVE_VERSION);
}

TEST_F(RemoteLog, TakingOwnershipCommitsThoughNothingChanged) {
  LocalManifest local = begun();
  VARVE_ASSERT_OK(server.upload(local));
  const auto taken = rival.upload(local, {.take_ownership = true});
  EXPECT_EQ(taken->outcome, UploadOutcome::kUploaded);
  EXPECT_EQ(committed(3).stamp.writer, rival.writer);
  EXPECT_EQ(committed(3).layers, committed(2).layers);
}

TEST_F(RemoteLog, S6_AfterAPauseACommitIsAcknowledgedOnlyWhenNothingHigherIsListed) {
  LocalManifest local = begun();
  VARVE_ASSERT_OK(server.upload(local));
  const auto advance = [&] { local.manifest.metadata.disk_consistent_lsn.value += 100; };
  const Duration grace = server.context().options.grace_period;

  // Half the grace period: an object that was superseded meanwhile is still there.
  clock.advance(grace / 2);
  advance();
  uint64_t lists = requests(Operation::kList);
  VARVE_ASSERT_OK(server.upload(local));
  EXPECT_EQ(requests(Operation::kList), lists);

  clock.advance(grace / 2 + std::chrono::nanoseconds(1));
  advance();
  lists = requests(Operation::kList);
  EXPECT_EQ(server.upload(local)->outcome, UploadOutcome::kUploaded);
  EXPECT_EQ(requests(Operation::kList), lists + 1);
  // And from then on it is known again.
  advance();
  VARVE_ASSERT_OK(server.upload(local));
  EXPECT_EQ(requests(Operation::kList), lists + 1);
}

TEST_F(RemoteLog, S6_ANumberThatARivalTookAndThatWasCollectedSinceIsNotTakenTwice) {
  LocalManifest local = begun();
  VARVE_ASSERT_OK(server.upload(local));
  // A rival takes over and goes on; later its first commit is collected.
  LocalManifest theirs = local;
  VARVE_ASSERT_OK(rival.upload(theirs, {.take_ownership = true}));
  theirs.manifest.metadata.disk_consistent_lsn.value += 100;
  VARVE_ASSERT_OK(rival.upload(theirs));
  const auto number = local.head.sequence + 1;
  VARVE_ASSERT_OK(storage.remove({ObjectName::archive(kLog, number).key()}, {}));

  clock.advance(server.context().options.grace_period);
  local.manifest.metadata.disk_consistent_lsn.value += 100;
  const LocalManifest before = local;
  const auto refused = server.upload(local);
  EXPECT_EQ(refused->outcome, UploadOutcome::kFenced);
  EXPECT_EQ(refused->other->writer, rival.writer);
  EXPECT_EQ(local.head, before.head);
}

TEST_F(RemoteLog, S6_ALookThatFailsAfterACommitAcknowledgesNothing) {
  LocalManifest local = begun();
  VARVE_ASSERT_OK(server.upload(local));
  clock.advance(server.context().options.grace_period);
  local.manifest.metadata.disk_consistent_lsn.value += 100;
  const auto head = local.head;
  // The commit itself lands, and is found by the next attempt, which looks again.
  for (int attempt = 0; attempt < 2; ++attempt) {
    fail({{.operation = Operation::kList, .fault = Fault::fail_before()}});
    EXPECT_TRUE(server.upload(local).failed_with(ErrorCode::kUnavailable));
    EXPECT_EQ(local.head, head);
  }
  heal();
  VARVE_ASSERT_OK(server.upload(local));
  EXPECT_EQ(local.head.sequence, head.sequence + 1);
}

TEST_F(RemoteLog, NothingFollowsTheLastCommitOfADeletedTimeline) {
  LocalManifest local = begun();
  LocalManifest last = local;
  last.manifest.deleted = true;
  last.manifest.layers.clear();
  lose_acknowledgement_of_put();
  EXPECT_FALSE(server.upload(last).ok());
  heal();
  VARVE_ASSERT_OK(server.upload(local));
  EXPECT_TRUE(local.manifest.deleted);
  EXPECT_EQ(keys().size(), 2U);
}

// Every number has one winner, whatever the order in which two writers come.
TEST_F(RemoteLog, S6_OfTwoWritersExactlyOneWinsEachNumber) {
  constexpr uint64_t kCommits = 40;
  LogHead head;
  for (uint64_t number = 1; number <= kCommits; ++number) {
    std::array<Result<CommitResult>, 2> results{
        Result<CommitResult>(Error(ErrorCode::kInternal, "")),
        Result<CommitResult>(Error(ErrorCode::kInternal, ""))};
    const std::array<Server*, 2> writers{&server, &rival};
    const Bytes header = encode_object_header(ObjectKind::kTimelineArchive);
    const auto race = [&](size_t i) {
      Server& writer = *writers[i];
      auto journal = NonceJournal::open(writer.directory() / kNonceJournalFileName).value();
      results[i] = commit(writer.context(), journal,
                          {.log = kLog,
                           .head = head,
                           .writer = writer.writer,
                           .nonce = writer.random().next_id<Nonce>(),
                           .content = header,
                           .encode_manifest = [&](const CommitStamp& stamp) -> Result<Bytes> {
                             TimelineManifest manifest;
                             manifest.id = {kTenant, kTimeline};
                             manifest.stamp = stamp;
                             return manifest.encode();
                           }},
                          {});
    };
    {
      const std::jthread first(race, 0);
      const std::jthread second(race, 1);
    }
    VARVE_ASSERT_OK(results[0]);
    VARVE_ASSERT_OK(results[1]);
    const bool first_won = results[0]->outcome == CommitOutcome::kCommitted;
    const auto& winner = first_won ? results[0] : results[1];
    const auto& loser = first_won ? results[1] : results[0];
    ASSERT_EQ(winner->outcome, CommitOutcome::kCommitted);
    ASSERT_EQ(loser->outcome, CommitOutcome::kFenced);
    EXPECT_EQ(loser->stamp->writer, (first_won ? server : rival).writer);
    EXPECT_EQ(winner->head, loser->head);
    head = winner->head;
  }
  EXPECT_EQ(keys().size(), kCommits);
}

}  // namespace
}  // namespace varve
