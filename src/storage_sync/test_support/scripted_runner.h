// What a test of the sync loop holds in its hands: tasks that end when and how it says, and what
// the loop reported.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <vector>

#include "storage_sync/sync_loop.h"

namespace varve::test_support {

// Waits for what the loop should do; one that does not do it fails the test instead of hanging it.
template <typename Condition>
void expect_soon(std::condition_variable_any& changed, std::unique_lock<std::mutex>& lock,
                 Condition condition) {
  EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), condition));
}

// Runs a task until the test finishes it, or until it is told to stop.
class ScriptedRunner : public SyncTaskRunner {
 public:
  Result<Checkpoint> run(const SyncTask& task, const CallOptions& options) override {
    std::unique_lock lock(mutex_);
    started_.push_back(task);
    ++running_;
    changed_.notify_all();
    const bool told = changed_.wait(lock, options.stop,
                                    [&] { return at_once_ || results_.contains(task.timeline); });
    --running_;
    if (!told) {
      ++stopped_;
      changed_.notify_all();
      return make_error(ErrorCode::kCancelled, "stopped on request");
    }
    const auto ended = results_.extract(task.timeline);
    changed_.notify_all();
    if (!ended.empty() && ended.mapped()) return make_error(*ended.mapped(), "injected");
    return task.checkpoint;
  }

  // Ends the task of the timeline, or the next one it has.
  void finish(const TenantTimelineId& timeline, std::optional<ErrorCode> error = std::nullopt) {
    const std::lock_guard lock(mutex_);
    results_[timeline] = error;
    changed_.notify_all();
  }
  // Ends whatever runs and will run.
  void succeed_at_once() {
    const std::lock_guard lock(mutex_);
    at_once_ = true;
    changed_.notify_all();
  }

  // Tasks that were told to end no longer count.
  void wait_until_running(size_t count) {
    std::unique_lock lock(mutex_);
    expect_soon(changed_, lock, [&] { return running_ == count && results_.empty(); });
  }
  std::vector<SyncTask> started() const {
    const std::lock_guard lock(mutex_);
    return started_;
  }
  size_t stopped() const {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<SyncTask> started_;
  std::map<TenantTimelineId, std::optional<ErrorCode>> results_;
  size_t running_ = 0;
  size_t stopped_ = 0;
  bool at_once_ = false;
};

class RecordingObserver : public SyncObserver {
 public:
  void set_timeline_states(const std::vector<TimelineSyncStatus>& changed) override {
    std::unique_lock lock(mutex_);
    batches_.push_back(changed);
    changed_.notify_all();
    in_call_ = true;
    changed_.wait(lock, [&] { return !block_; });
    in_call_ = false;
  }

  // Holds up the next call until unblock().
  void block() {
    const std::lock_guard lock(mutex_);
    block_ = true;
  }
  void wait_until_blocked() {
    std::unique_lock lock(mutex_);
    expect_soon(changed_, lock, [&] { return in_call_; });
  }
  void unblock() {
    const std::lock_guard lock(mutex_);
    block_ = false;
    changed_.notify_all();
  }

  void wait_for(size_t batches) {
    std::unique_lock lock(mutex_);
    expect_soon(changed_, lock, [&] { return batches_.size() >= batches; });
  }
  void wait_for(const TimelineSyncStatus& status) {
    std::unique_lock lock(mutex_);
    expect_soon(changed_, lock, [&] {
      return std::ranges::any_of(batches_, [&](const auto& batch) {
        return std::ranges::find(batch, status) != batch.end();
      });
    });
  }
  std::vector<std::vector<TimelineSyncStatus>> batches() const {
    const std::lock_guard lock(mutex_);
    return batches_;
  }
  std::vector<TimelineSyncStatus> all() const {
    std::vector<TimelineSyncStatus> all;
    for (const auto& batch : batches()) all.insert(all.end(), batch.begin(), batch.end());
    return all;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::vector<TimelineSyncStatus>> batches_;
  bool block_ = false;
  bool in_call_ = false;
};

}  // namespace varve::test_support
