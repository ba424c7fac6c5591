#include "runtime/signal.h"

namespace varve {

uint64_t Signal::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

void Signal::notify() {
  std::stop_source waiting;
  {
    const std::lock_guard lock(mutex_);
    ++count_;
    std::swap(waiting, waiting_);
  }
  waiting.request_stop();
}

bool Signal::wait(uint64_t seen, Duration duration, Clock& clock, const std::stop_token& stop) {
  std::stop_source wake;
  {
    const std::lock_guard lock(mutex_);
    if (count_ != seen) return true;
    wake = waiting_;
  }
  std::stop_source either;
  const std::stop_callback on_notify(wake.get_token(), [&] { either.request_stop(); });
  const std::stop_callback on_stop(stop, [&] { either.request_stop(); });
  clock.sleep(duration, either.get_token());
  return count() != seen;
}

}  // namespace varve
