// A stop request that poll(2) can wait for, beside a socket.
#pragma once

#include <stop_token>

namespace varve::http {

// Thread-safe.
class StopEvent {
 public:
  StopEvent();
  ~StopEvent();
  StopEvent(const StopEvent&) = delete;
  StopEvent& operator=(const StopEvent&) = delete;

  void request_stop();
  std::stop_token token() const { return source_.get_token(); }
  // Readable once a stop was requested.
  int descriptor() const { return descriptor_; }

 private:
  std::stop_source source_;
  const int descriptor_;
};

}  // namespace varve::http
