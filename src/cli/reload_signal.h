// SIGHUP as a wish to have the settings read anew.
#pragma once

#include <functional>
#include <thread>

namespace varve {

// Make it before other threads than that of InterruptHandler start: the signal is blocked in them,
// and waited for by a thread of its own, which calls the function.
class ReloadSignal {
 public:
  explicit ReloadSignal(std::function<void()> reload);
  ~ReloadSignal();
  ReloadSignal(const ReloadSignal&) = delete;
  ReloadSignal& operator=(const ReloadSignal&) = delete;

 private:
  std::jthread waiter_;
};

}  // namespace varve
