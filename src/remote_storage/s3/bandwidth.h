// A cap on bytes per second.
#pragma once

#include <mutex>

#include "runtime/call_options.h"

namespace varve::s3 {

// A token bucket: bytes may go as long as it holds any, and what goes beyond is a debt that the
// next ones wait for. So a body goes in one piece, and the cap holds on average over the time that
// the largest piece takes. Thread-safe; several waiters share the cap.
class Bandwidth {
 public:
  // 0: no cap. The clock outlives it.
  explicit Bandwidth(uint64_t bytes_per_second, Clock& clock = system_clock());

  // Waits until bytes may go, and takes that many. Cancelled when the options say so before.
  Result<> take(uint64_t bytes, const CallOptions& options);

 private:
  // How long until the bucket holds something; takes the bytes if it does.
  Duration try_take(uint64_t bytes);

  const double rate_;
  Clock& clock_;
  std::mutex mutex_;
  // Bytes; negative: a debt. At most what a tenth of a second brings.
  double tokens_;
  BootTime refilled_at_;
};

}  // namespace varve::s3
