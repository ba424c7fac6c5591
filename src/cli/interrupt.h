// SIGINT and SIGTERM as a stop request: what is under way is undone or left whole, then the process
// ends.
#pragma once

#include <stop_token>
#include <thread>

namespace varve {

// Make it before any other thread starts: signals are blocked in the whole process and waited for
// by a thread of its own. A second signal ends the process at once.
class InterruptHandler {
 public:
  InterruptHandler();
  ~InterruptHandler();
  InterruptHandler(const InterruptHandler&) = delete;
  InterruptHandler& operator=(const InterruptHandler&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::jthread waiter_;
};

}  // namespace varve
