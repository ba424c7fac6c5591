// A call that two may end: who asked for it, and who runs the process.
#pragma once

#include <functional>

#include "runtime/call_options.h"

namespace varve {

// Ends with the earlier of two deadlines, and when either side requests a stop.
class JoinedCall {
 public:
  JoinedCall(const CallOptions& one, const CallOptions& other)
      : on_stop_of_one_(one.stop, [this] { stop_.request_stop(); }),
        on_stop_of_other_(other.stop, [this] { stop_.request_stop(); }),
        options_{.deadline = Deadline::earlier(one.deadline, other.deadline),
                 .stop = stop_.get_token()} {}
  JoinedCall(const JoinedCall&) = delete;
  JoinedCall& operator=(const JoinedCall&) = delete;

  // For as long as this is there.
  const CallOptions& options() const { return options_; }

 private:
  using OnStop = std::stop_callback<std::function<void()>>;

  std::stop_source stop_;
  OnStop on_stop_of_one_;
  OnStop on_stop_of_other_;
  CallOptions options_;
};

}  // namespace varve
