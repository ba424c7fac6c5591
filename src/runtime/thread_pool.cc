#include "runtime/thread_pool.h"

#include <pthread.h>

namespace varve {

ThreadPool::ThreadPool(Options options) : queue_(options.queue_capacity) {
  const std::string name = options.name.substr(0, 15);
  threads_.reserve(options.threads);
  for (size_t i = 0; i < options.threads; ++i) {
    threads_.emplace_back([this, name] {
      pthread_setname_np(pthread_self(), name.c_str());
      run();
    });
  }
}

ThreadPool::~ThreadPool() {
  queue_.close();
  threads_.clear();
}

void ThreadPool::run() {
  while (auto task = queue_.pop()) (*task)();
}

}  // namespace varve
