// A model of the sync queue for tests with random events: it predicts what is queued, and checks
// everything that the queue hands out against its rules.
#pragma once

#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "storage_sync/sync_queue.h"

namespace varve::test_support {

class SyncQueueModel {
 public:
  SyncQueueModel(const SyncQueueOptions& options, SyncQueue& queue)
      : options_(options), queue_(queue) {}

  BootTime now() const { return now_; }
  const std::vector<SyncTask>& running() const { return running_; }

  void submit(const SyncTask& task) {
    removed_.erase(task.timeline);
    Timeline& timeline = timelines_[task.timeline];
    Work& work = timeline.work(task);
    const SubmitOutcome outcome = queue_.submit(task);
    RC_ASSERT((outcome == SubmitOutcome::kEvicted) == timeline.evicted);
    if (timeline.evicted) return;
    const SyncTask* running = running_task(task.timeline);
    const bool same_operation = running != nullptr && running->operation() == task.operation();
    if (outcome == SubmitOutcome::kNothingToDo) {
      RC_ASSERT(task.lane == SyncLane::kUpload);
      RC_ASSERT(!work.queued && !same_operation && !timeline.owed);
      RC_ASSERT(timeline.remote && timeline.remote->covers(task.checkpoint));
      return;
    }
    if (task.lane == SyncLane::kUpload &&
        (!timeline.owed ||
         timeline.owed->disk_consistent_lsn <= task.checkpoint.disk_consistent_lsn)) {
      timeline.owed = task.checkpoint;
    }
    if (outcome == SubmitOutcome::kQueued) {
      RC_ASSERT(!work.queued);
      work.queued = task;
    } else if (work.queued) {
      const SyncLane lane = work.queued->lane;
      work.queued = both(*work.queued, task);
      // In another lane the turns begin anew.
      if (work.queued->lane != lane) work.forget_turns();
    } else {
      RC_ASSERT(outcome == SubmitOutcome::kMerged);
      RC_ASSERT(same_operation && running->covers(task));
    }
    check();
  }

  void take() {
    const auto taken = queue_.take(now_);
    for (const SyncTask& task : taken) start(task);
    // No thread idles while there is something that it could do.
    for (const auto& [id, timeline] : timelines_) {
      for (const Work& work : timeline.works) {
        RC_ASSERT(!may_start(id, work) ||
                  running_in(work.queued->lane) == options_.concurrency(work.queued->lane));
      }
    }
    std::optional<BootTime> first;
    for (const auto& [id, timeline] : timelines_) {
      for (const Work& work : timeline.works) {
        if (!work.queued || work.not_before <= now_) continue;
        first = std::min(first.value_or(work.not_before), work.not_before);
      }
    }
    RC_ASSERT(queue_.next_wakeup() == first);
    check();
  }

  void succeed(size_t index) {
    const SyncTask task = end(index);
    Timeline& timeline = timelines_[task.timeline];
    const auto outcome = queue_.finish(task, task.checkpoint, now_);
    RC_ASSERT(outcome.kind == FinishOutcome::Kind::kDone);
    if (end_of_removed(task.timeline)) return check();
    timeline.remote = task.checkpoint;
    Work& work = timeline.work(task);
    work.failures = work.own_failures = 0;
    work.not_before = {};
    if (work.queued && task.covers(*work.queued)) work.queued.reset();
    if (task.lane == SyncLane::kUpload && timeline.owed &&
        (timeline.owed->disk_consistent_lsn < task.checkpoint.disk_consistent_lsn ||
         *timeline.owed == task.checkpoint)) {
      timeline.owed.reset();
    }
    check();
  }

  void fail(size_t index, ErrorCode code) {
    const SyncTask task = end(index);
    Timeline& timeline = timelines_[task.timeline];
    const auto outcome = queue_.finish(task, make_error(code, "injected"), now_);
    if (end_of_removed(task.timeline)) {
      RC_ASSERT(outcome.kind == FinishOutcome::Kind::kStopped);
      return check();
    }
    Work& work = timeline.work(task);
    ++work.failures;
    const bool of_the_storage = code == ErrorCode::kUnavailable || code == ErrorCode::kThrottled ||
                                code == ErrorCode::kDenied || code == ErrorCode::kCancelled;
    if (!of_the_storage) ++work.own_failures;
    if (work.own_failures == options_.max_sync_errors || code == ErrorCode::kConflict) {
      RC_ASSERT(outcome.kind == FinishOutcome::Kind::kEvicted);
      timeline.evicted = true;
      timeline.owed.reset();
      for (Work& each : timeline.works) each.queued.reset();
    } else {
      RC_ASSERT(outcome.kind == FinishOutcome::Kind::kFailed);
      work.queued = work.queued ? both(task, *work.queued) : task;
      const Duration pause =
          std::chrono::seconds(std::min(1 << std::min(work.failures - 1, 5), 30));
      work.not_before = now_ + pause;
      RC_ASSERT(outcome.retry_at == work.not_before);
    }
    check();
  }

  void remove(const TenantTimelineId& id) {
    const bool runs = running_task(id) != nullptr;
    RC_ASSERT(queue_.remove(id) == runs);
    timelines_.erase(id);
    if (runs) removed_.insert(id);
    check();
  }

  void advance(Duration duration) {
    now_ += duration;
    forget_turns_of_those_that_may_not_start();
  }

  void attach(const TenantId& tenant) {
    queue_.reset(tenant);
    for (auto& [id, timeline] : timelines_) {
      if (id.tenant != tenant) continue;
      timeline.evicted = false;
      timeline.remote.reset();
      for (Work& work : timeline.works) {
        work.failures = work.own_failures = 0;
        work.not_before = {};
      }
    }
    check();
  }

  // From now on everything succeeds: what was asked for must come to its end.
  void drain() {
    for (int round = 0; queue_.length() + queue_.running() > 0; ++round) {
      RC_ASSERT(round < 10'000);
      take();
      if (running_.empty()) advance(queue_.next_wakeup().value() - now_);
      while (!running_.empty()) succeed(0);
    }
    for (const auto& [id, timeline] : timelines_) RC_ASSERT(!timeline.owed);
  }

 private:
  // Of one operation of a timeline.
  struct Work {
    std::optional<SyncTask> queued;
    int failures = 0;
    int own_failures = 0;
    BootTime not_before{0};
    // What was started in the same lane while this might have been.
    std::map<TenantId, int> tenants_before;
    std::map<TimelineId, int> siblings_before;

    void forget_turns() {
      tenants_before.clear();
      siblings_before.clear();
    }
  };
  struct Timeline {
    std::array<Work, kSyncOperationCount> works;
    // The highest checkpoint that was accepted and that no upload has reached.
    std::optional<Checkpoint> owed;
    std::optional<Checkpoint> remote;
    bool evicted = false;

    Work& work(const SyncTask& task) { return works[static_cast<size_t>(task.operation())]; }
  };

  static SyncTask both(SyncTask earlier, const SyncTask& later) {
    if (later.checkpoint.disk_consistent_lsn >= earlier.checkpoint.disk_consistent_lsn) {
      earlier.checkpoint = later.checkpoint;
    }
    earlier.commit_sequence = std::max(earlier.commit_sequence, later.commit_sequence);
    if (later.lane == SyncLane::kDownloadOnDemand) earlier.lane = later.lane;
    return earlier;
  }

  const SyncTask* running_task(const TenantTimelineId& id) const {
    const auto found = std::ranges::find(running_, id, &SyncTask::timeline);
    return found == running_.end() ? nullptr : &*found;
  }
  size_t running_in(SyncLane lane) const {
    return static_cast<size_t>(std::ranges::count(running_, lane, &SyncTask::lane));
  }
  bool may_start(const TenantTimelineId& id, const Work& work) const {
    return work.queued && work.not_before <= now_ && running_task(id) == nullptr;
  }

  void start(const SyncTask& task) {
    Timeline& timeline = timelines_.at(task.timeline);
    Work& work = timeline.work(task);
    RC_ASSERT(!timeline.evicted);
    RC_ASSERT(running_task(task.timeline) == nullptr);
    RC_ASSERT(running_in(task.lane) < options_.concurrency(task.lane));
    RC_ASSERT(work.not_before <= now_);
    RC_ASSERT(work.queued == task);
    work.queued.reset();
    running_.push_back(task);
    for (auto& [id, other] : timelines_) {
      for (Work& waiting : other.works) {
        if (!may_start(id, waiting) || waiting.queued->lane != task.lane) continue;
        if (id.tenant == task.timeline.tenant) {
          RC_ASSERT(++waiting.siblings_before[task.timeline.timeline] <= 1);
          // It is the turn of the tenant: the others begin anew.
          for_each_work(id.tenant, [&](Work& each) {
            if (each.queued && each.queued->lane == task.lane) each.tenants_before.clear();
          });
        } else {
          RC_ASSERT(++waiting.tenants_before[task.timeline.tenant] <= 1);
        }
      }
    }
    forget_turns_of_those_that_may_not_start();
  }

  // Whether the timeline was removed while its task ran, and nothing was asked for since.
  bool end_of_removed(const TenantTimelineId& id) {
    if (removed_.erase(id) == 0) return false;
    timelines_.erase(id);
    return true;
  }

  SyncTask end(size_t index) {
    const SyncTask task = running_.at(index);
    running_.erase(running_.begin() + static_cast<ptrdiff_t>(index));
    return task;
  }

  void for_each_work(const TenantId& tenant, const std::function<void(Work&)>& visit) {
    for (auto& [id, timeline] : timelines_) {
      if (id.tenant == tenant) std::ranges::for_each(timeline.works, visit);
    }
  }

  void forget_turns_of_those_that_may_not_start() {
    for (auto& [id, timeline] : timelines_) {
      for (Work& work : timeline.works) {
        if (!may_start(id, work)) work.forget_turns();
      }
    }
  }

  void check() {
    size_t queued = 0;
    size_t evicted = 0;
    for (const auto& [id, timeline] : timelines_) {
      if (timeline.evicted) ++evicted;
      for (const Work& work : timeline.works) queued += work.queued ? 1 : 0;
    }
    RC_ASSERT(queue_.length() == queued);
    RC_ASSERT(queue_.evicted() == evicted);
    RC_ASSERT(queue_.running() == running_.size());
    forget_turns_of_those_that_may_not_start();
  }

  const SyncQueueOptions options_;
  SyncQueue& queue_;
  BootTime now_{0};
  std::map<TenantTimelineId, Timeline> timelines_;
  std::vector<SyncTask> running_;
  std::set<TenantTimelineId> removed_;
};

}  // namespace varve::test_support
