// What takes longer than a request should: begun by one, asked about by others.
#pragma once

#include <functional>
#include <thread>

#include "runtime/signal.h"
#include "runtime/thread_pool.h"
#include "server/http/message.h"
#include "server/http/sessions.h"

namespace varve::http {

// Thread-safe.
class Operations {
 public:
  struct Options {
    // That run at a time; others wait.
    size_t threads = 8;
    // That run, wait, or have ended and may still be asked about.
    SessionLimits limits{.count = 256, .idle = std::chrono::minutes(10)};
  };
  explicit Operations(Options options);
  // Interrupts those that run, and waits for them.
  ~Operations();

  using Work = std::function<Result<Json>(const CallOptions&, const ByteProgress&)>;
  // 202 with the operation as it stands. Throttled when there are too many.
  Result<Answer> start(Work work);

  // The operation as it stands once it has finished, or after that time, or on a stop request.
  Result<Json> wait(const std::string& id, Duration time, const std::stop_token& stop);

  // No other is begun: Unavailable. Whether all have finished within that time.
  bool finish_within(Duration time);
  void interrupt() { interrupted_.request_stop(); }

 private:
  struct Operation {
    Signal changed;
    mutable std::mutex mutex;
    uint64_t bytes_done = 0;
    uint64_t bytes_total = 0;
    std::optional<Result<Json>> outcome;
  };
  static Json describe(const std::string& id, const Operation& operation);
  void run(Operation& operation, const Work& work);

  std::stop_source interrupted_;
  Sessions<Operation> sessions_;
  std::mutex mutex_;
  size_t unfinished_ = 0;
  bool closed_ = false;
  Signal finished_;
  ThreadPool pool_;
};

}  // namespace varve::http
