// What every call that may block takes: until when, and who may stop it.
#pragma once

#include <algorithm>
#include <stop_token>

#include "base/clock.h"
#include "base/result.h"

namespace varve {

// A point on CLOCK_BOOTTIME, or never.
class Deadline {
 public:
  static Deadline never() { return Deadline(BootTime::max()); }
  static Deadline after(Duration duration, const Clock& clock = system_clock()) {
    return Deadline(clock.boot_time() + duration);
  }
  static Deadline earlier(const Deadline& one, const Deadline& other) {
    return Deadline(std::min(one.at_, other.at_));
  }

  bool is_never() const { return at_ == BootTime::max(); }
  bool passed(const Clock& clock = system_clock()) const {
    return !is_never() && clock.boot_time() >= at_;
  }
  // Zero once it has passed.
  Duration remaining(const Clock& clock = system_clock()) const {
    if (is_never()) return Duration::max();
    return std::max(Duration::zero(), at_ - clock.boot_time());
  }

 private:
  explicit Deadline(BootTime at) : at_(at) {}
  BootTime at_;
};

struct CallOptions {
  Deadline deadline = Deadline::never();
  std::stop_token stop = {};

  // Cancelled once a stop was requested or the deadline has passed; `what` names the call.
  Result<> check(std::string_view what, const Clock& clock = system_clock()) const {
    if (stop.stop_requested()) {
      return make_error(ErrorCode::kCancelled, "{}: stopped on request", what);
    }
    if (deadline.passed(clock)) {
      return make_error(ErrorCode::kCancelled, "{}: the deadline passed", what);
    }
    return {};
  }
};

}  // namespace varve
