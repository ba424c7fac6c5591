#include "storage_sync/sync_loop.h"

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

SyncLoop::SyncLoop(Options options, const Parts& parts)
    : options_(options),
      parts_(parts),
      metrics_(parts.metrics),
      queue_(options.queue, parts.random) {}

SyncLoop::~SyncLoop() {
  shutdown();
}

void SyncLoop::start(std::vector<TimelineSyncStatus> states) {
  const std::lock_guard lock(mutex_);
  for (const TimelineSyncStatus& status : states) {
    if (status.remote_consistent_lsn) {
      queue_.note_remote(status.timeline, *status.remote_consistent_lsn);
    }
  }
  update_gauges();
  running_ = true;
  thread_ = std::jthread(
      [this, states = std::move(states)](const std::stop_token& stop) { loop(stop, states); });
}

ScheduleOutcome SyncLoop::schedule(const SyncTask& task) {
  auto outcome = SubmitOutcome::kStopped;
  {
    const std::lock_guard lock(mutex_);
    if (running_) outcome = queue_.submit(task);
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

void SyncLoop::tenant_attached(const TenantId& tenant) {
  const std::lock_guard lock(mutex_);
  queue_.reset(tenant);
  update_gauges();
  wake_.request_stop();
}

void SyncLoop::shutdown() {
  {
    const std::lock_guard lock(mutex_);
    if (!running_) return;
    running_ = false;
    queue_.stop();
    thread_.request_stop();
    wake_.request_stop();
  }
  thread_.join();
}

void SyncLoop::update_gauges() {
  metrics_.set_remaining(queue_.length());
  metrics_.set_evicted(queue_.evicted());
}

void SyncLoop::loop(const std::stop_token& stop, const std::vector<TimelineSyncStatus>& states) {
  if (!states.empty()) parts_.observer.set_timeline_states(states);
  std::optional<BootTime> patience_ends;
  while (true) {
    const Step step = next_step(stop, patience_ends);
    for (const SyncTask& task : step.starting) {
      parts_.executor.submit(task.lane, [this, task] { run(task); });
    }
    report(step);
    if (step.last) return;
    parts_.clock.sleep(step.pause, step.woken);
  }
}

SyncLoop::Step SyncLoop::next_step(const std::stop_token& stop,
                                   std::optional<BootTime>& patience_ends) {
  const std::lock_guard lock(mutex_);
  Step step{.now = parts_.clock.boot_time()};
  // Whatever happens from here on ends the sleep that follows.
  wake_ = std::stop_source();
  step.woken = wake_.get_token();

  for (Finished& finished : std::exchange(finished_, {})) {
    const auto outcome = queue_.finish(finished.task, finished.result, step.now);
    const auto lsn = queue_.remote_consistent_lsn(finished.task.timeline);
    step.settled.push_back({std::move(finished), outcome, lsn});
  }
  step.starting = queue_.take(step.now);
  update_gauges();

  if (!stop.stop_requested()) {
    if (const auto wakeup = queue_.next_wakeup()) step.pause = *wakeup - step.now;
  } else if (queue_.running() == 0) {
    step.last = true;
  } else if (!patience_ends) {
    patience_ends = step.now + options_.shutdown_timeout;
    step.pause = options_.shutdown_timeout;
  } else if (step.now < *patience_ends) {
    step.pause = *patience_ends - step.now;
  } else {
    tasks_stop_.request_stop();
  }
  return step;
}

void SyncLoop::run(const SyncTask& task) {
  const BootTime started = parts_.clock.boot_time();
  auto result = parts_.runner.run(task, {.stop = tasks_stop_.get_token()});
  const Duration taken = parts_.clock.boot_time() - started;
  metrics_.observe(task.operation(), result.ok(), taken);
  const std::lock_guard lock(mutex_);
  finished_.push_back({task, std::move(result), taken});
  wake_.request_stop();
}

void SyncLoop::report(const Step& step) {
  std::vector<TimelineSyncStatus> changed;
  for (const Settled& settled : step.settled) {
    const auto& [task, result, taken] = settled.finished;
    if (!result.ok()) {
      log_failure(task, result.error(), settled.outcome, step.now);
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
