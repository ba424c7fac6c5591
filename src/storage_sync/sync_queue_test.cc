#include "storage_sync/sync_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage_sync/sync_state.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using Kind = FinishOutcome::Kind;

TenantTimelineId timeline(uint8_t tenant, uint8_t number) {
  return {TenantId{{tenant}}, TimelineId{{number}}};
}

SyncTask upload(const TenantTimelineId& id, uint64_t lsn, uint64_t content = 1) {
  return SyncTask::upload(id, {Lsn{lsn}, content});
}

std::vector<TenantTimelineId> timelines(const std::vector<SyncTask>& tasks) {
  std::vector<TenantTimelineId> ids;
  for (const SyncTask& task : tasks) ids.push_back(task.timeline);
  return ids;
}

class SyncQueueTest : public testing::Test {
 protected:
  static SyncQueueOptions options() {
    return {.concurrent_uploads = 2,
            .concurrent_downloads = 1,
            .concurrent_downloads_on_demand = 1,
            .backoff = {.jitter = 0}};
  }

  // What runs next; exactly one task.
  SyncTask take_one() {
    const auto taken = queue.take(now);
    EXPECT_EQ(taken.size(), 1);
    return taken.empty() ? SyncTask{} : taken.front();
  }
  FinishOutcome succeed(const SyncTask& task) { return queue.finish(task, task.checkpoint, now); }
  FinishOutcome fail(const SyncTask& task, ErrorCode code = ErrorCode::kInternal) {
    return queue.finish(task, make_error(code, "injected"), now);
  }
  // Lets time pass until the pause is over, and takes what then runs.
  SyncTask wait_and_take() {
    const auto wakeup = queue.next_wakeup();
    EXPECT_TRUE(wakeup.has_value());
    now = wakeup.value_or(now);
    return take_one();
  }
  void evict(const SyncTask& task) {
    queue.submit(task);
    SyncTask running = take_one();
    while (fail(running).kind != Kind::kEvicted) running = wait_and_take();
  }

  SeededRandom random{1};
  SyncQueue queue{options(), random};
  BootTime now = seconds(100);
  const TenantTimelineId a = timeline(1, 1);
  const TenantTimelineId b = timeline(1, 2);
  const TenantTimelineId c = timeline(2, 3);
};

TEST_F(SyncQueueTest, S10_AtMostTheLimitOfALaneRunsAtATime) {
  for (const auto& id : {a, b, c}) EXPECT_EQ(queue.submit(upload(id, 10)), SubmitOutcome::kQueued);
  const auto first = queue.take(now);
  EXPECT_EQ(first.size(), 2);
  EXPECT_EQ(queue.running(), 2);
  EXPECT_EQ(queue.length(), 1);
  EXPECT_THAT(queue.take(now), IsEmpty());
  succeed(first.front());
  EXPECT_EQ(take_one().timeline, b);
}

TEST_F(SyncQueueTest, S10_ADownloadOnDemandWaitsForNoUploadNorForThoseInTheBackground) {
  for (uint8_t i = 0; i < 9; ++i) queue.submit(upload(timeline(1, i), 10));
  for (uint8_t i = 10; i < 19; ++i) queue.submit(SyncTask::download(timeline(1, i), 1));
  queue.take(now);
  const auto wanted = SyncTask::download(timeline(1, 30), 1, SyncLane::kDownloadOnDemand);
  queue.submit(wanted);
  EXPECT_EQ(take_one(), wanted);
}

TEST_F(SyncQueueTest, S10_ABackgroundDownloadThatSomebodyBeginsToWaitForChangesLanes) {
  queue.submit(SyncTask::download(a, 1));
  queue.submit(SyncTask::download(b, 1));
  const SyncTask background = take_one();
  EXPECT_EQ(background.timeline, a);
  EXPECT_EQ(queue.submit(SyncTask::download(b, 2, SyncLane::kDownloadOnDemand)),
            SubmitOutcome::kMerged);
  EXPECT_EQ(take_one(), SyncTask::download(b, 2, SyncLane::kDownloadOnDemand));
  EXPECT_EQ(queue.length(), 0);
}

TEST_F(SyncQueueTest, S10_AnUrgentWishForWhatRunsInTheBackgroundSurvivesItsFailure) {
  queue.submit(SyncTask::download(a, 1));
  const SyncTask background = take_one();
  EXPECT_EQ(queue.submit(SyncTask::download(a, 1)), SubmitOutcome::kMerged);
  EXPECT_EQ(queue.length(), 0);
  queue.submit(SyncTask::download(a, 1, SyncLane::kDownloadOnDemand));
  fail(background);
  EXPECT_EQ(wait_and_take().lane, SyncLane::kDownloadOnDemand);

  // Had it succeeded, the wish would have been fulfilled.
  queue.submit(SyncTask::download(b, 1));
  const SyncTask other = take_one();
  queue.submit(SyncTask::download(b, 1, SyncLane::kDownloadOnDemand));
  succeed(other);
  EXPECT_EQ(queue.length(), 0);
}

TEST_F(SyncQueueTest, S10_TasksOfOneTimelineNeverOverlapEvenInDifferentLanes) {
  queue.submit(upload(a, 10));
  const SyncTask running = take_one();
  queue.submit(upload(a, 20));
  queue.submit(SyncTask::download(a, 1, SyncLane::kDownloadOnDemand));
  EXPECT_THAT(queue.take(now), IsEmpty());
  succeed(running);
  const SyncTask next = take_one();
  EXPECT_EQ(next.lane, SyncLane::kDownloadOnDemand);
  succeed(next);
  EXPECT_EQ(take_one(), upload(a, 20));
}

TEST_F(SyncQueueTest, S10_TenantsTakeTurnsHoweverMuchOneOfThemHasToDo) {
  for (uint8_t i = 0; i < 100; ++i) queue.submit(upload(timeline(1, i), 10));
  queue.submit(upload(timeline(2, 1), 10));
  queue.submit(upload(timeline(3, 1), 10));
  std::vector<SyncTask> ran;
  for (int turn = 0; turn < 3; ++turn) {
    for (const SyncTask& task : queue.take(now)) {
      ran.push_back(task);
      succeed(task);
    }
  }
  EXPECT_THAT(timelines(ran), ElementsAre(timeline(1, 0), timeline(2, 1), timeline(3, 1),
                                          timeline(1, 1), timeline(1, 2), timeline(1, 3)));
}

TEST_F(SyncQueueTest, S10_ABusyTimelineLeavesTurnsToTheOthersOfItsTenant) {
  queue.submit(upload(a, 10));
  const SyncTask busy = take_one();
  queue.submit(upload(a, 20));
  queue.submit(upload(b, 10));
  EXPECT_EQ(take_one().timeline, b);
  succeed(busy);
  EXPECT_EQ(take_one(), upload(a, 20));
}

TEST_F(SyncQueueTest, S11_AFailedTaskIsRepeatedAfterDoublingPausesOfAtMostHalfAMinute) {
  queue.submit(upload(a, 10));
  SyncTask task = take_one();
  for (const int expected : {1, 2, 4, 8, 16, 30, 30, 30}) {
    const auto outcome = fail(task);
    EXPECT_EQ(outcome.kind, Kind::kFailed);
    EXPECT_EQ(outcome.retry_at, now + seconds(expected));
    EXPECT_EQ(queue.next_wakeup(), outcome.retry_at);
    now = outcome.retry_at - milliseconds(1);
    EXPECT_THAT(queue.take(now), IsEmpty());
    now = outcome.retry_at;
    task = take_one();
  }
  EXPECT_EQ(queue.next_wakeup(), std::nullopt);
}

TEST_F(SyncQueueTest, S11_PausesAreJitteredSoThatWhatFailedTogetherDoesNotReturnTogether) {
  SyncQueue jittered({.concurrent_uploads = 100}, random);
  for (uint8_t i = 0; i < 100; ++i) jittered.submit(upload(timeline(1, i), 10));
  std::set<BootTime> returns;
  for (const SyncTask& task : jittered.take(now)) {
    const auto failed = jittered.finish(task, make_error(ErrorCode::kInternal, "injected"), now);
    EXPECT_GE(failed.retry_at, now + milliseconds(500));
    EXPECT_LE(failed.retry_at, now + seconds(1));
    returns.insert(failed.retry_at);
  }
  EXPECT_EQ(returns.size(), 100);
}

TEST_F(SyncQueueTest, S11_ASuccessMakesTheNextPauseShortAgain) {
  queue.submit(upload(a, 10));
  fail(take_one());
  fail(wait_and_take());
  succeed(wait_and_take());
  queue.submit(upload(a, 20));
  EXPECT_EQ(fail(take_one()).retry_at, now + seconds(1));
}

TEST_F(SyncQueueTest, S11_OtherTimelinesAreNotHeldUpAndNewCheckpointsDoNotEndThePause) {
  queue.submit(upload(a, 10));
  fail(take_one());
  EXPECT_EQ(queue.submit(upload(a, 20)), SubmitOutcome::kMerged);
  queue.submit(upload(b, 10));
  EXPECT_EQ(take_one().timeline, b);
  EXPECT_EQ(wait_and_take(), upload(a, 20));
}

TEST_F(SyncQueueTest, S11_WhatWasAskedForWhileTheTaskRanPausesWithIt) {
  queue.submit(upload(a, 10));
  const SyncTask running = take_one();
  EXPECT_EQ(queue.submit(upload(a, 20)), SubmitOutcome::kQueued);
  fail(running);
  EXPECT_THAT(queue.take(now), IsEmpty());
  EXPECT_EQ(queue.length(), 1);
  EXPECT_EQ(wait_and_take(), upload(a, 20));
}

TEST_F(SyncQueueTest, S11_ADownloadThatPausesAndBecomesUrgentStillWaitsForTheEndOfThePause) {
  queue.submit(SyncTask::download(a, 1));
  fail(take_one());
  queue.submit(SyncTask::download(a, 1, SyncLane::kDownloadOnDemand));
  EXPECT_THAT(queue.take(now), IsEmpty());
  EXPECT_EQ(wait_and_take().lane, SyncLane::kDownloadOnDemand);
}

TEST_F(SyncQueueTest, S12_TheTenthFailureEvictsAndNothingOfTheTimelineRunsAnyMore) {
  queue.submit(upload(a, 10));
  succeed(take_one());
  queue.submit(upload(a, 20));
  queue.submit(SyncTask::download(b, 1));
  auto taken = queue.take(now);
  ASSERT_EQ(taken.size(), 2);
  succeed(taken[0]);
  SyncTask task = taken[1];
  for (int failure = 1; failure < 10; ++failure) {
    EXPECT_EQ(fail(task).kind, Kind::kFailed) << failure;
    task = wait_and_take();
  }
  queue.submit(SyncTask::download(a, 1));
  const auto last = fail(task);
  EXPECT_EQ(last.kind, Kind::kEvicted);
  EXPECT_EQ(last.failures, 10);
  EXPECT_EQ(queue.evicted(), 1);
  EXPECT_EQ(queue.length(), 0);
  EXPECT_EQ(queue.remote_consistent_lsn(a), Lsn{10});
  EXPECT_EQ(queue.submit(upload(a, 30)), SubmitOutcome::kEvicted);
  EXPECT_EQ(queue.submit(SyncTask::download(a, 1)), SubmitOutcome::kEvicted);
  EXPECT_EQ(queue.submit(upload(b, 10)), SubmitOutcome::kQueued);
}

TEST_F(SyncQueueTest, S12_AttachingTheTenantEndsTheEvictionOfItsTimelinesAndOfNoOthers) {
  evict(upload(a, 10));
  evict(upload(c, 10));
  EXPECT_EQ(queue.evicted(), 2);
  queue.reset(a.tenant);
  EXPECT_EQ(queue.evicted(), 1);
  EXPECT_EQ(queue.submit(upload(c, 20)), SubmitOutcome::kEvicted);
  EXPECT_EQ(queue.submit(upload(a, 20)), SubmitOutcome::kQueued);
  EXPECT_EQ(fail(take_one()).retry_at, now + seconds(1));
}

TEST_F(SyncQueueTest, S12_AttachingTheTenantEndsPausesAndForgetsWhatWasRemote) {
  queue.submit(upload(a, 10));
  succeed(take_one());
  queue.submit(upload(b, 10));
  fail(take_one());
  queue.reset(a.tenant);
  EXPECT_EQ(queue.next_wakeup(), std::nullopt);
  EXPECT_EQ(take_one().timeline, b);
  EXPECT_EQ(queue.remote_consistent_lsn(a), std::nullopt);
  EXPECT_EQ(queue.submit(upload(a, 10)), SubmitOutcome::kQueued);
}

TEST_F(SyncQueueTest, S12_AStorageThatIsDownNeverEvictsAnybody) {
  queue.submit(upload(a, 10));
  SyncTask task = take_one();
  for (int failure = 0; failure < 50; ++failure) {
    for (const auto code : {ErrorCode::kUnavailable, ErrorCode::kThrottled, ErrorCode::kDenied}) {
      ASSERT_EQ(fail(task, code).kind, Kind::kFailed);
      task = wait_and_take();
    }
  }
  for (int failure = 1; failure < 10; ++failure) {
    EXPECT_EQ(fail(task, ErrorCode::kCorrupted).kind, Kind::kFailed);
    task = wait_and_take();
  }
  EXPECT_EQ(fail(task, ErrorCode::kCorrupted).kind, Kind::kEvicted);
}

TEST_F(SyncQueueTest, S14_OnceStoppedNothingStartsAndWhatRunsMayFinish) {
  queue.submit(upload(a, 10));
  queue.submit(upload(b, 10));
  const auto running = queue.take(now);
  ASSERT_EQ(running.size(), 2);
  queue.submit(upload(c, 10));
  queue.stop();
  EXPECT_EQ(queue.submit(upload(c, 20)), SubmitOutcome::kStopped);
  EXPECT_EQ(succeed(running[0]).kind, Kind::kDone);
  EXPECT_EQ(fail(running[1]).kind, Kind::kStopped);
  EXPECT_EQ(queue.running(), 0);
  EXPECT_THAT(queue.take(now + seconds(100)), IsEmpty());
  EXPECT_EQ(queue.next_wakeup(), std::nullopt);
}

TEST_F(SyncQueueTest, S15_QueuedCheckpointsOfATimelineAreOneTaskWhateverTheirOrder) {
  EXPECT_EQ(queue.submit(upload(a, 20)), SubmitOutcome::kQueued);
  EXPECT_EQ(queue.submit(upload(a, 40)), SubmitOutcome::kMerged);
  EXPECT_EQ(queue.submit(upload(a, 30)), SubmitOutcome::kMerged);
  EXPECT_EQ(queue.submit(upload(a, 40, 2)), SubmitOutcome::kMerged);
  EXPECT_EQ(queue.length(), 1);
  EXPECT_EQ(take_one(), upload(a, 40, 2));
}

TEST_F(SyncQueueTest, S15_ACheckpointThatIsNotAboveTheRemoteOneIsDroppedUnlessItsContentChanged) {
  queue.submit(upload(a, 20));
  succeed(take_one());
  EXPECT_EQ(queue.submit(upload(a, 20)), SubmitOutcome::kNothingToDo);
  EXPECT_EQ(queue.submit(upload(a, 10)), SubmitOutcome::kNothingToDo);
  EXPECT_EQ(queue.submit(upload(a, 20, 2)), SubmitOutcome::kQueued);
  succeed(take_one());
  EXPECT_EQ(queue.submit(upload(a, 20, 2)), SubmitOutcome::kNothingToDo);
  EXPECT_EQ(queue.submit(upload(a, 21, 2)), SubmitOutcome::kQueued);
}

TEST_F(SyncQueueTest, S15_ACheckpointThatArrivesWhileAnotherIsUploadedIsQueuedBehindIt) {
  queue.submit(upload(a, 20));
  const SyncTask running = take_one();
  EXPECT_EQ(queue.submit(upload(a, 20)), SubmitOutcome::kMerged);
  EXPECT_EQ(queue.length(), 0);
  EXPECT_EQ(queue.submit(upload(a, 30)), SubmitOutcome::kQueued);
  EXPECT_THAT(queue.take(now), IsEmpty());
  succeed(running);
  EXPECT_EQ(take_one(), upload(a, 30));
}

TEST_F(SyncQueueTest, S15_AnUploadThatGotFurtherThanItHadToSparesTheNext) {
  queue.submit(upload(a, 20));
  const SyncTask running = take_one();
  queue.submit(upload(a, 30));
  queue.finish(running, Checkpoint{Lsn{30}, 1}, now);
  EXPECT_EQ(queue.length(), 0);
  EXPECT_THAT(queue.take(now), IsEmpty());
}

TEST_F(SyncQueueTest, S15_ContentThatChangesBackWhileItIsUploadedIsUploadedAgain) {
  queue.submit(upload(a, 20, 1));
  succeed(take_one());
  queue.submit(upload(a, 20, 2));
  const SyncTask running = take_one();
  EXPECT_EQ(queue.submit(upload(a, 20, 1)), SubmitOutcome::kQueued);
  succeed(running);
  EXPECT_EQ(take_one(), upload(a, 20, 1));
}

TEST_F(SyncQueueTest, S15_WhatIsKnownToBeRemoteFromEarlierSaysNothingAboutTheContent) {
  queue.note_remote(a, Lsn{20});
  EXPECT_EQ(queue.remote_consistent_lsn(a), Lsn{20});
  EXPECT_EQ(queue.submit(upload(a, 20)), SubmitOutcome::kQueued);
}

}  // namespace
}  // namespace varve
