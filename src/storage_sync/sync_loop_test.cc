#include "storage_sync/sync_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <barrier>

#include "storage_sync/test_support/scripted_runner.h"

namespace varve {
namespace {

using std::chrono::seconds;
using test_support::RecordingObserver;
using test_support::ScriptedRunner;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

const TenantTimelineId kA{TenantId{{1}}, TimelineId{{1}}};
const TenantTimelineId kB{TenantId{{1}}, TimelineId{{2}}};
const TenantTimelineId kC{TenantId{{2}}, TimelineId{{3}}};

TimelineSyncStatus ready(const TenantTimelineId& id, uint64_t lsn) {
  return {id, TimelineSyncState::kReady, Lsn{lsn}};
}

class SyncLoopTest : public testing::Test {
 protected:
  // Lets go of what a failed test has left running, so that the loop can end.
  void TearDown() override {
    observer.unblock();
    runner.succeed_at_once();
  }

  ScheduleOutcome upload(const TenantTimelineId& id, uint64_t lsn) {
    return loop.schedule_timeline_checkpoint_upload(id, {Lsn{lsn}, 1});
  }

  SyncLoop::Options options{.queue = {.concurrent_uploads = 2,
                                      .concurrent_downloads = 1,
                                      .concurrent_downloads_on_demand = 1,
                                      .max_sync_errors = 2,
                                      .backoff = {.jitter = 0}},
                            .shutdown_timeout = seconds(20)};
  ManualClock clock{Timestamp{0}, ManualClock::Sleep::kWaits};
  SeededRandom random{1};
  Metrics metrics;
  ScriptedRunner runner;
  RecordingObserver observer;
  LanePools executor{options.queue};
  SyncLoop loop{options, {runner, executor, observer, metrics, clock, random}};
};

TEST_F(SyncLoopTest, S9_WithNoLoopRunningTasksAreDroppedAndTheCallerIsTold) {
  EXPECT_EQ(upload(kA, 10), ScheduleOutcome::kNotRunning);
  loop.start({});
  EXPECT_EQ(upload(kB, 10), ScheduleOutcome::kScheduled);
  runner.wait_until_running(1);
  runner.finish(kB);
  loop.shutdown();
  EXPECT_EQ(upload(kC, 10), ScheduleOutcome::kNotRunning);
  EXPECT_THAT(runner.started(), ElementsAre(SyncTask::upload(kB, {Lsn{10}, 1})));
}

TEST_F(SyncLoopTest, S9_SchedulingWaitsForNothingThatRunsAndIsMergedBehindIt) {
  loop.start({});
  upload(kA, 10);
  runner.wait_until_running(1);
  EXPECT_EQ(upload(kA, 20), ScheduleOutcome::kScheduled);
  EXPECT_EQ(upload(kA, 30), ScheduleOutcome::kScheduled);
  runner.finish(kA);
  observer.wait_for(1);
  runner.wait_until_running(1);
  runner.finish(kA);
  observer.wait_for(2);
  EXPECT_EQ(upload(kA, 30), ScheduleOutcome::kNothingToDo);
  EXPECT_THAT(runner.started(),
              ElementsAre(SyncTask::upload(kA, {Lsn{10}, 1}), SyncTask::upload(kA, {Lsn{30}, 1})));
}

TEST_F(SyncLoopTest, S9_ManyThreadsScheduleAtOnceAndEveryTimelineReachesItsLastCheckpoint) {
  runner.succeed_at_once();
  loop.start({});
  std::vector<std::jthread> threads;
  for (uint8_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (uint64_t lsn = 1; lsn <= 100; ++lsn) {
        upload({TenantId{{thread}}, TimelineId{{static_cast<uint8_t>(lsn % 3)}}}, lsn);
      }
    });
  }
  threads.clear();
  for (uint8_t tenant = 0; tenant < 4; ++tenant) {
    for (const auto& [timeline, lsn] : {std::pair{0, 99}, {1, 100}, {2, 98}}) {
      observer.wait_for(ready({TenantId{{tenant}}, TimelineId{{static_cast<uint8_t>(timeline)}}},
                              static_cast<uint64_t>(lsn)));
    }
  }
}

TEST_F(SyncLoopTest, S10_RunsUpToTheLimitAtOnceAndTheRestAfterwards) {
  loop.start({});
  upload(kA, 10);
  upload(kB, 10);
  runner.wait_until_running(2);
  upload(kC, 10);
  loop.schedule_timeline_download(kC, 1, SyncLane::kDownloadOnDemand);
  // The download does not wait for the uploads that take all their threads.
  runner.wait_until_running(3);
  EXPECT_EQ(runner.started().back().lane, SyncLane::kDownloadOnDemand);
  runner.finish(kC);
  runner.finish(kA);
  runner.wait_until_running(2);
  EXPECT_EQ(runner.started().back(), SyncTask::upload(kC, {Lsn{10}, 1}));
}

TEST_F(SyncLoopTest, S10_WithNothingToDoItSleepsUntilItIsAskedForSomething) {
  loop.start({});
  clock.wait_for_sleeper(BootTime::max());
  upload(kA, 10);
  runner.wait_until_running(1);
  clock.wait_for_sleeper(BootTime::max());
  runner.finish(kA);
  observer.wait_for(1);
  clock.wait_for_sleeper(BootTime::max());
}

TEST_F(SyncLoopTest, S11_AFailedTaskIsRepeatedWhenItsPauseIsOver) {
  loop.start({});
  upload(kA, 10);
  runner.wait_until_running(1);
  runner.finish(kA, ErrorCode::kInternal);
  clock.wait_for_sleeper(seconds(1));
  // It is awake for others meanwhile, and then sleeps on until the same moment.
  upload(kB, 10);
  runner.wait_until_running(1);
  runner.finish(kB);
  observer.wait_for(1);
  clock.wait_for_sleeper(seconds(1));
  EXPECT_EQ(runner.started().size(), 2);
  clock.advance(seconds(1));
  runner.wait_until_running(1);
  EXPECT_EQ(runner.started().back().timeline, kA);
  runner.finish(kA);
  observer.wait_for(2);
}

TEST_F(SyncLoopTest, S12_S13_ATimelineThatFailsTooOftenIsReportedEvictedUntilItsTenantIsAttached) {
  loop.start({ready(kA, 7)});
  upload(kA, 10);
  runner.wait_until_running(1);
  runner.finish(kA, ErrorCode::kCorrupted);
  clock.wait_for_sleeper(seconds(1));
  clock.advance(seconds(1));
  runner.wait_until_running(1);
  runner.finish(kA, ErrorCode::kCorrupted);
  observer.wait_for(2);
  EXPECT_THAT(observer.batches().back(),
              ElementsAre(TimelineSyncStatus{kA, TimelineSyncState::kEvicted, Lsn{7}}));
  EXPECT_EQ(upload(kA, 20), ScheduleOutcome::kEvicted);
  EXPECT_THAT(metrics.text(), HasSubstr("varve_remote_storage_evicted_timelines 1"));

  loop.tenant_attached(kA.tenant);
  EXPECT_THAT(metrics.text(), HasSubstr("varve_remote_storage_evicted_timelines 0"));
  runner.succeed_at_once();
  EXPECT_EQ(upload(kA, 20), ScheduleOutcome::kScheduled);
  observer.wait_for(ready(kA, 20));
}

TEST_F(SyncLoopTest, S12_WhereAnotherServerOwnsTheTenantTheFirstFailureIsTheLast) {
  loop.start({ready(kA, 7)});
  upload(kA, 10);
  runner.wait_until_running(1);
  runner.finish(kA, ErrorCode::kConflict);
  observer.wait_for({kA, TimelineSyncState::kEvicted, Lsn{7}});
  EXPECT_EQ(upload(kA, 20), ScheduleOutcome::kEvicted);
}

TEST_F(SyncLoopTest, W6_ATimelineThatIsForgottenNoLongerRunsAndIsNotRepeated) {
  loop.start({});
  upload(kA, 10);
  runner.wait_until_running(1);
  upload(kA, 20);
  std::jthread deletion([&] { loop.forget(kA); });
  runner.finish(kA, ErrorCode::kInternal);
  deletion.join();
  EXPECT_EQ(runner.started().size(), 1U);
  EXPECT_THAT(metrics.text(), HasSubstr("varve_remote_storage_remaining_sync_items 0"));
  // What is scheduled later is a new beginning.
  runner.succeed_at_once();
  EXPECT_EQ(upload(kA, 30), ScheduleOutcome::kScheduled);
  observer.wait_for(ready(kA, 30));
}

TEST_F(SyncLoopTest, S13_StatesAreReportedAtTheStartBeforeAnythingElse) {
  const std::vector<TimelineSyncStatus> states{
      ready(kA, 10),
      {kB, TimelineSyncState::kCloudOnly, Lsn{5}},
      {kC, TimelineSyncState::kAwaitsDownload, std::nullopt}};
  runner.succeed_at_once();
  observer.block();
  loop.start(states);
  upload(kA, 20);
  observer.wait_until_blocked();
  EXPECT_TRUE(runner.started().empty());
  observer.unblock();
  observer.wait_for(2);
  EXPECT_THAT(observer.batches(), ElementsAre(states, ElementsAre(ready(kA, 20))));
}

TEST_F(SyncLoopTest, S13_WhatFinishesTogetherIsReportedInOneBatch) {
  loop.start({});
  upload(kA, 10);
  upload(kB, 20);
  runner.wait_until_running(2);
  observer.block();
  loop.schedule_timeline_download(kC, 1);
  runner.wait_until_running(3);
  runner.finish(kC);
  observer.wait_until_blocked();
  // While the loop is held up, both uploads end: their threads are free for something else.
  runner.finish(kA);
  runner.finish(kB);
  std::barrier rendezvous(3);
  for (int i = 0; i < 2; ++i) {
    executor.submit(SyncLane::kUpload, [&] { rendezvous.arrive_and_wait(); });
  }
  rendezvous.arrive_and_wait();
  observer.unblock();
  observer.wait_for(2);
  EXPECT_THAT(observer.batches().back(), UnorderedElementsAre(ready(kA, 10), ready(kB, 20)));
}

TEST_F(SyncLoopTest, S14_ShutdownWaitsForWhatRunsAndStartsNothingMore) {
  loop.start({});
  for (const auto& id : {kA, kB, kC}) upload(id, 10);
  runner.wait_until_running(2);
  std::jthread stopper([&] { loop.shutdown(); });
  clock.wait_for_sleeper(seconds(20));
  EXPECT_EQ(upload(kC, 20), ScheduleOutcome::kNotRunning);
  for (const SyncTask& task : runner.started()) runner.finish(task.timeline);
  stopper.join();
  EXPECT_EQ(runner.started().size(), 2);
  EXPECT_EQ(runner.stopped(), 0);
  EXPECT_THAT(observer.all(), UnorderedElementsAre(ready(runner.started()[0].timeline, 10),
                                                   ready(runner.started()[1].timeline, 10)));
}

TEST_F(SyncLoopTest, S14_WhatDoesNotFinishInTimeIsToldToStopAndIsNotTakenForDone) {
  loop.start({});
  upload(kA, 10);
  runner.wait_until_running(1);
  std::jthread stopper([&] { loop.shutdown(); });
  clock.wait_for_sleeper(seconds(20));
  clock.advance(seconds(19));
  EXPECT_EQ(runner.stopped(), 0);
  clock.advance(seconds(1));
  stopper.join();
  EXPECT_EQ(runner.stopped(), 1);
  EXPECT_THAT(observer.batches(), ElementsAre());
}

TEST_F(SyncLoopTest, S14_ShutdownIsNeverMissedHoweverItFallsTogetherWithTheRest) {
  runner.succeed_at_once();
  for (int round = 0; round < 200; ++round) {
    SyncLoop brief(options, {runner, executor, observer, metrics, clock, random});
    brief.start({});
    if (round % 2 == 0) brief.schedule_timeline_checkpoint_upload(kA, {Lsn{10}, 1});
    brief.shutdown();
  }
}

TEST_F(SyncLoopTest, S20_TheQueueAndTheTimeThatTasksTakeAreMeasured) {
  loop.start({});
  for (const auto& id : {kA, kB, kC}) upload(id, 10);
  runner.wait_until_running(2);
  EXPECT_THAT(metrics.text(), HasSubstr("varve_remote_storage_remaining_sync_items 1"));
  clock.wait_for_sleeper(BootTime::max());
  clock.advance(seconds(3));
  const auto running = runner.started();
  runner.finish(running[0].timeline);
  observer.wait_for(1);
  EXPECT_THAT(metrics.text(), HasSubstr("varve_remote_storage_remaining_sync_items 0"));
  runner.wait_until_running(2);
  runner.finish(running[1].timeline, ErrorCode::kInternal);
  runner.wait_until_running(1);
  runner.succeed_at_once();
  observer.wait_for(2);
  loop.schedule_timeline_download(kC, 1);
  observer.wait_for(3);
  const std::string text = metrics.text();
  const std::string_view name = "varve_remote_storage_sync_seconds";
  EXPECT_THAT(text, HasSubstr(fmt::format(
                        "{}_sum{{operation_kind=\"upload\",status=\"success\"}} 3", name)));
  EXPECT_THAT(text, HasSubstr(fmt::format(
                        "{}_count{{operation_kind=\"upload\",status=\"success\"}} 2", name)));
  EXPECT_THAT(text, HasSubstr(fmt::format(
                        "{}_count{{operation_kind=\"upload\",status=\"failure\"}} 1", name)));
  EXPECT_THAT(text, HasSubstr(fmt::format(
                        "{}_count{{operation_kind=\"download\",status=\"success\"}} 1", name)));
}

}  // namespace
}  // namespace varve
