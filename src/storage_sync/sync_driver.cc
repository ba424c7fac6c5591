#include "storage_sync/sync_driver.h"

#include <spdlog/spdlog.h>

#include "base/logging.h"

namespace varve {
namespace {

std::string describe(const SyncTask& task) {
  return fmt::format("{} of timeline {}", name(task.operation()), task.timeline);
}

// The one place where a failed task is logged.
void log_failure(const SyncTask& task, const Error& error, const FinishOutcome& outcome,
                 BootTime now) {
  switch (outcome.kind) {
    case FinishOutcome::Kind::kDone:
      break;
    case FinishOutcome::Kind::kFailed:
      spdlog::warn("{} failed, {} in a row, and is repeated in {:.1f} s: {} ({})", describe(task),
                   outcome.failures, std::chrono::duration<double>(outcome.retry_at - now).count(),
                   error.message(), name(error.code()));
      break;
    case FinishOutcome::Kind::kEvicted:
      log_error(fmt::format("{} failed, {} in a row: nothing more of the timeline is uploaded or "
                            "downloaded until tenant {} is attached again",
                            describe(task), outcome.failures, task.timeline.tenant),
                error);
      break;
    case FinishOutcome::Kind::kStopped:
      spdlog::warn("{} was not finished at shutdown: {} ({})", describe(task), error.message(),
                   name(error.code()));
      break;
  }
}

}  // namespace

SyncDriver::SyncDriver(Options options, const Parts& parts)
    : options_(options),
      parts_(parts),
      metrics_(parts.metrics),
      queue_(options.queue, parts.random) {}

void SyncDriver::open(std::vector<TimelineSyncStatus> states) {
  const std::lock_guard lock(mutex_);
  for (const TimelineSyncStatus& status : states) {
    if (status.remote_consistent_lsn) {
      queue_.note_remote(status.timeline, *status.remote_consistent_lsn);
    }
  }
  states_at_start_ = std::move(states);
  phase_ = Phase::kOpen;
  update_gauges();
}

ScheduleOutcome SyncDriver::schedule(const SyncTask& task) {
  auto outcome = SubmitOutcome::kStopped;
  {
    const std::lock_guard lock(mutex_);
    if (phase_ == Phase::kOpen) outcome = queue_.submit(task);
    if (outcome == SubmitOutcome::kQueued || outcome == SubmitOutcome::kMerged) {
      update_gauges();
      wake_.request_stop();
    }
  }
  switch (outcome) {
    case SubmitOutcome::kQueued:
    case SubmitOutcome::kMerged:
      return ScheduleOutcome::kScheduled;
    case SubmitOutcome::kNothingToDo:
      return ScheduleOutcome::kNothingToDo;
    case SubmitOutcome::kEvicted:
      return ScheduleOutcome::kEvicted;
    case SubmitOutcome::kStopped:
      break;
  }
  spdlog::warn("{} is dropped: no synchronisation with a remote storage runs", describe(task));
  return ScheduleOutcome::kNotRunning;
}

void SyncDriver::tenant_attached(const TenantId& tenant) {
  const std::lock_guard lock(mutex_);
  queue_.reset(tenant);
  update_gauges();
  wake_.request_stop();
}

void SyncDriver::forget(const TenantTimelineId& timeline) {
  std::unique_lock lock(mutex_);
  while (queue_.remove(timeline)) settled_.wait(lock);
  update_gauges();
}

bool SyncDriver::close() {
  const std::lock_guard lock(mutex_);
  if (phase_ != Phase::kOpen) return false;
  phase_ = Phase::kClosed;
  queue_.stop();
  wake_.request_stop();
  return true;
}

void SyncDriver::update_gauges() {
  metrics_.set_remaining(queue_.length());
  metrics_.set_evicted(queue_.evicted());
}

SyncDriver::Turn SyncDriver::turn() {
  const Step step = next_step();
  if (!step.states_at_start.empty()) parts_.observer.set_timeline_states(step.states_at_start);
  for (const SyncTask& task : step.starting) {
    parts_.executor.submit(task.lane, [this, task] { run(task); });
  }
  report(step);
  return step.turn;
}

SyncDriver::Step SyncDriver::next_step() {
  const std::lock_guard lock(mutex_);
  Step step{.now = parts_.clock.boot_time()};
  // Whatever happens from here on ends the pause that follows.
  wake_ = std::stop_source();
  step.turn.woken = wake_.get_token();
  step.states_at_start = std::exchange(states_at_start_, {});

  for (Finished& finished : std::exchange(finished_, {})) {
    const auto outcome = queue_.finish(finished.task, finished.result, step.now);
    const auto lsn = queue_.remote_consistent_lsn(finished.task.timeline);
    step.settled.push_back({std::move(finished), outcome, lsn});
  }
  if (!step.settled.empty()) settled_.notify_all();
  step.starting = queue_.take(step.now);
  update_gauges();

  if (phase_ != Phase::kClosed) {
    if (const auto wakeup = queue_.next_wakeup()) step.turn.pause = *wakeup - step.now;
  } else if (queue_.running() == 0) {
    step.turn.last = true;
  } else if (!patience_ends_) {
    patience_ends_ = step.now + options_.shutdown_timeout;
    step.turn.pause = options_.shutdown_timeout;
  } else if (step.now < *patience_ends_) {
    step.turn.pause = *patience_ends_ - step.now;
  } else {
    tasks_stop_.request_stop();
  }
  return step;
}

void SyncDriver::run(const SyncTask& task) {
  const BootTime started = parts_.clock.boot_time();
  auto result = parts_.runner.run(task, {.stop = tasks_stop_.get_token()});
  const Duration taken = parts_.clock.boot_time() - started;
  metrics_.observe(task.operation(), result.ok(), taken);
  const std::lock_guard lock(mutex_);
  finished_.push_back({task, std::move(result), taken});
  wake_.request_stop();
}

void SyncDriver::report(const Step& step) {
  std::vector<TimelineSyncStatus> changed;
  for (const Settled& settled : step.settled) {
    const auto& [task, result, taken] = settled.finished;
    if (!result.ok()) {
      log_failure(task, result.error(), settled.outcome, step.now);
      parts_.observer.task_failed(task, result.error(), settled.outcome);
    } else {
      spdlog::debug("{} took {:.3f} s", describe(task),
                    std::chrono::duration<double>(taken).count());
    }
    if (settled.outcome.kind == FinishOutcome::Kind::kDone) {
      changed.push_back({task.timeline, TimelineSyncState::kReady, settled.remote_consistent_lsn});
    } else if (settled.outcome.kind == FinishOutcome::Kind::kEvicted) {
      changed.push_back(
          {task.timeline, TimelineSyncState::kEvicted, settled.remote_consistent_lsn});
    }
  }
  if (!changed.empty()) parts_.observer.set_timeline_states(changed);
}

}  // namespace varve
