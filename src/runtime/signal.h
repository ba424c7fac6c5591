// Wakes threads that wait for something to happen.
#pragma once

#include <mutex>
#include <stop_token>

#include "runtime/call_options.h"

namespace varve {

// Thread-safe.
class Signal {
 public:
  // How often notify() was called so far. To be asked for before looking whether there is something
  // to wait for, so that what happens in between is not missed.
  uint64_t count() const;
  // Ends every wait of now.
  void notify();
  // Returns once notify() was called more than `seen` times, and true; false when `duration` has
  // passed before, or on a stop request.
  bool wait(uint64_t seen, Duration duration, Clock& clock, const std::stop_token& stop);

 private:
  mutable std::mutex mutex_;
  uint64_t count_ = 0;
  // Ends the waits of now.
  std::stop_source waiting_;
};

}  // namespace varve
