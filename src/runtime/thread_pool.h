// A fixed number of threads that run what is submitted, in order of submission.
#pragma once

#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "runtime/bounded_queue.h"

namespace varve {

// Thread-safe. Blocking work of different kinds belongs into different pools, so that a read on
// demand never waits behind an upload. A task must not wait for another task of the same pool.
class ThreadPool {
 public:
  struct Options {
    // Shown by tools that list threads; at most 15 bytes are kept (see pthread_setname_np(3)).
    std::string name;
    size_t threads = 1;
    // Tasks that may wait; submitting one more blocks.
    size_t queue_capacity = 64;
  };
  explicit ThreadPool(Options options);
  // Runs everything that was submitted, then joins.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t size() const { return threads_.size(); }

  // Runs `task` on one of the threads. Waits while the queue is full.
  template <typename Task>
  auto submit(Task task) -> std::future<decltype(task())> {
    // std::function wants a copyable target; packaged_task is only movable.
    auto packaged = std::make_shared<std::packaged_task<decltype(task())()>>(std::move(task));
    auto future = packaged->get_future();
    queue_.push([packaged] { (*packaged)(); });
    return future;
  }

 private:
  void run();

  BoundedQueue<std::function<void()>> queue_;
  std::vector<std::jthread> threads_;
};

}  // namespace varve
