#include "remote_storage/s3/bandwidth.h"

#include <algorithm>

namespace varve::s3 {
namespace {

constexpr double kBurstSeconds = 0.1;

}  // namespace

Bandwidth::Bandwidth(uint64_t bytes_per_second, Clock& clock)
    : rate_(static_cast<double>(bytes_per_second)),
      clock_(clock),
      tokens_(rate_ * kBurstSeconds),
      refilled_at_(clock.boot_time()) {}

Result<> Bandwidth::take(uint64_t bytes, const CallOptions& options) {
  if (rate_ == 0 || bytes == 0) return {};
  for (;;) {
    const Duration wait = try_take(bytes);
    if (wait == Duration::zero()) return {};
    VARVE_TRY(options.check("waiting for the bandwidth cap", clock_));
    clock_.sleep(std::min(wait, options.deadline.remaining(clock_)), options.stop);
  }
}

Duration Bandwidth::try_take(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const BootTime now = clock_.boot_time();
  const double elapsed = std::chrono::duration<double>(now - refilled_at_).count();
  tokens_ = std::min(tokens_ + elapsed * rate_, rate_ * kBurstSeconds);
  refilled_at_ = now;
  if (tokens_ > 0) {
    tokens_ -= static_cast<double>(bytes);
    return Duration::zero();
  }
  // A millisecond more, so that rounding never makes a wait of nothing.
  return std::chrono::milliseconds(1) +
         std::chrono::duration_cast<Duration>(std::chrono::duration<double>(-tokens_ / rate_));
}

}  // namespace varve::s3
