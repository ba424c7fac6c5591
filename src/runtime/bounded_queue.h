// A queue between threads that makes a fast producer wait for a slow consumer.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>

namespace varve {

// Thread-safe. Once closed it takes nothing more; what it holds can still be taken.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) {}

  // Waits for room. False when the queue was closed or a stop requested; the item is then dropped.
  bool push(T item, std::stop_token stop = {}) {
    std::unique_lock lock(mutex_);
    const bool woken =
        changed_.wait(lock, stop, [this] { return closed_ || items_.size() < capacity_; });
    if (!woken || closed_) return false;
    items_.push_back(std::move(item));
    changed_.notify_all();
    return true;
  }

  // Waits for an item. Empty when the queue is closed and drained, or a stop was requested.
  std::optional<T> pop(std::stop_token stop = {}) {
    std::unique_lock lock(mutex_);
    const bool woken = changed_.wait(lock, stop, [this] { return closed_ || !items_.empty(); });
    if (!woken || items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    changed_.notify_all();
    return item;
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  const size_t capacity_;
  std::mutex mutex_;
  // One condition for both directions: with a handful of threads the spare wake-ups cost nothing.
  std::condition_variable_any changed_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace varve
