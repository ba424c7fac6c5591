#include "storage_sync/sync_queue.h"

#include <algorithm>
#include <numeric>

namespace varve {
namespace {

// One task that does what both ask for; `later` was asked for after `earlier`.
SyncTask merged(const SyncTask& earlier, const SyncTask& later) {
  SyncTask both = earlier;
  if (later.checkpoint.disk_consistent_lsn >= earlier.checkpoint.disk_consistent_lsn) {
    both.checkpoint = later.checkpoint;
  }
  both.commit_sequence = std::max(earlier.commit_sequence, later.commit_sequence);
  if (later.lane == SyncLane::kDownloadOnDemand) both.lane = later.lane;
  return both;
}

}  // namespace

size_t SyncQueueOptions::concurrency(SyncLane lane) const {
  switch (lane) {
    case SyncLane::kUpload:
      return concurrent_uploads;
    case SyncLane::kDownload:
      return concurrent_downloads;
    case SyncLane::kDownloadOnDemand:
      return concurrent_downloads_on_demand;
  }
  return 0;
}

bool counts_against_task(ErrorCode code) {
  return code != ErrorCode::kUnavailable && code != ErrorCode::kThrottled &&
         code != ErrorCode::kDenied && code != ErrorCode::kCancelled;
}

SyncQueue::SyncQueue(SyncQueueOptions options, Random& random)
    : options_(options), random_(random) {}

// Queues `task` in the empty slot, to run as soon as it is its turn.
void SyncQueue::enqueue(Slot& slot, const SyncTask& task) {
  slot.queued = task;
  if (slot.retry_at) {
    pausing_.emplace(*slot.retry_at, task.timeline, task.operation());
  } else {
    ready(task.lane).add(task.timeline);
  }
}

void SyncQueue::unqueue(Slot& slot) {
  if (!slot.queued) return;
  if (slot.retry_at) {
    pausing_.erase({*slot.retry_at, slot.queued->timeline, slot.queued->operation()});
  } else {
    ready(slot.queued->lane).remove(slot.queued->timeline);
  }
  slot.retry_at.reset();
  slot.queued.reset();
}

SubmitOutcome SyncQueue::submit(const SyncTask& task) {
  if (stopped_) return SubmitOutcome::kStopped;
  Timeline& timeline = timelines_[task.timeline];
  timeline.removed = false;
  if (timeline.evicted) return SubmitOutcome::kEvicted;
  Slot& slot = timeline.slot(task.operation());
  if (slot.queued) {
    const SyncTask both = merged(*slot.queued, task);
    if (both.lane != slot.queued->lane && !slot.retry_at) {
      ready(slot.queued->lane).remove(task.timeline);
      ready(both.lane).add(task.timeline);
    }
    slot.queued = both;
    return SubmitOutcome::kMerged;
  }
  if (timeline.running && timeline.running->operation() == task.operation()) {
    // One that somebody waits for is queued behind one in the background, in case that fails.
    const bool same_urgency =
        timeline.running->lane == task.lane || task.lane != SyncLane::kDownloadOnDemand;
    if (same_urgency && timeline.running->covers(task)) return SubmitOutcome::kMerged;
  } else if (task.operation() == SyncOperation::kUpload && timeline.remote &&
             timeline.remote->content == task.checkpoint.content &&
             task.checkpoint.disk_consistent_lsn <= timeline.remote->lsn) {
    return SubmitOutcome::kNothingToDo;
  }
  enqueue(slot, task);
  return SubmitOutcome::kQueued;
}

void SyncQueue::end_pauses(BootTime now) {
  while (!pausing_.empty() && std::get<BootTime>(*pausing_.begin()) <= now) {
    const auto [at, id, operation] = *pausing_.begin();
    pausing_.erase(pausing_.begin());
    Slot& slot = timelines_.at(id).slot(operation);
    slot.retry_at.reset();
    ready(slot.queued->lane).add(id);
  }
}

std::vector<SyncTask> SyncQueue::take(BootTime now) {
  std::vector<SyncTask> taken;
  if (stopped_) return taken;
  end_pauses(now);
  const auto may_run = [&](const TenantTimelineId& id) { return !timelines_.at(id).running; };
  for (const SyncLane lane :
       {SyncLane::kDownloadOnDemand, SyncLane::kDownload, SyncLane::kUpload}) {
    while (running(lane) < options_.concurrency(lane)) {
      const auto id = ready(lane).take(may_run);
      if (!id) break;
      Timeline& timeline = timelines_.at(*id);
      timeline.running = std::exchange(timeline.slot(operation_of(lane)).queued, std::nullopt);
      ++running(lane);
      taken.push_back(*timeline.running);
    }
  }
  return taken;
}

FinishOutcome SyncQueue::finish(const SyncTask& task, const Result<Checkpoint>& result,
                                BootTime now) {
  Timeline& timeline = timelines_.at(task.timeline);
  timeline.running.reset();
  --running(task.lane);
  if (timeline.removed) {
    timelines_.erase(task.timeline);
    return {.kind = result.ok() ? FinishOutcome::Kind::kDone : FinishOutcome::Kind::kStopped};
  }
  Slot& slot = timeline.slot(task.operation());
  if (result.ok()) {
    slot.failures = 0;
    slot.counted_failures = 0;
    timeline.remote = Remote{result->disk_consistent_lsn, result->content};
    const bool covered = slot.queued && (task.operation() == SyncOperation::kUpload
                                             ? result->covers(slot.queued->checkpoint)
                                             : task.covers(*slot.queued));
    if (covered) unqueue(slot);
    return {};
  }

  FinishOutcome outcome{.kind = FinishOutcome::Kind::kStopped, .failures = ++slot.failures};
  if (stopped_) return outcome;
  if (counts_against_task(result.code())) ++slot.counted_failures;
  if (slot.counted_failures >= options_.max_sync_errors ||
      result.failed_with(ErrorCode::kConflict)) {
    evict(timeline);
    outcome.kind = FinishOutcome::Kind::kEvicted;
    return outcome;
  }
  // What was asked for while the task ran pauses with it: the next attempt does both.
  SyncTask next = task;
  if (slot.queued) {
    next = merged(task, *slot.queued);
    unqueue(slot);
  }
  slot.retry_at = now + backoff_delay(options_.backoff, slot.failures, random_);
  enqueue(slot, next);
  outcome.kind = FinishOutcome::Kind::kFailed;
  outcome.retry_at = *slot.retry_at;
  return outcome;
}

void SyncQueue::evict(Timeline& timeline) {
  for (Slot& slot : timeline.slots) unqueue(slot);
  timeline.evicted = true;
  ++evicted_;
}

std::optional<BootTime> SyncQueue::next_wakeup() const {
  if (stopped_ || pausing_.empty()) return std::nullopt;
  return std::get<BootTime>(*pausing_.begin());
}

void SyncQueue::note_remote(const TenantTimelineId& timeline, Lsn lsn) {
  timelines_[timeline].remote = Remote{lsn, std::nullopt};
}

void SyncQueue::reset(const TenantId& tenant) {
  for (auto at = timelines_.lower_bound({tenant, {}});
       at != timelines_.end() && at->first.tenant == tenant; ++at) {
    Timeline& timeline = at->second;
    if (timeline.evicted) --evicted_;
    timeline.evicted = false;
    timeline.remote.reset();
    for (Slot& slot : timeline.slots) {
      slot.failures = 0;
      slot.counted_failures = 0;
      if (!slot.retry_at) continue;
      const SyncTask task = *slot.queued;
      unqueue(slot);
      enqueue(slot, task);
    }
  }
}

bool SyncQueue::remove(const TenantTimelineId& id) {
  const auto found = timelines_.find(id);
  if (found == timelines_.end()) return false;
  Timeline& timeline = found->second;
  for (Slot& slot : timeline.slots) unqueue(slot);
  if (timeline.evicted) --evicted_;
  if (!timeline.running) {
    timelines_.erase(found);
    return false;
  }
  timeline = Timeline{.running = timeline.running, .removed = true};
  return true;
}

void SyncQueue::stop() {
  stopped_ = true;
}

size_t SyncQueue::length() const {
  size_t sum = pausing_.size();
  for (const RoundRobin& lane : ready_) sum += lane.size();
  return sum;
}

size_t SyncQueue::running() const {
  return std::accumulate(running_.begin(), running_.end(), size_t{0});
}

std::optional<Lsn> SyncQueue::remote_consistent_lsn(const TenantTimelineId& timeline) const {
  const auto found = timelines_.find(timeline);
  if (found == timelines_.end() || !found->second.remote) return std::nullopt;
  return found->second.remote->lsn;
}

}  // namespace varve
