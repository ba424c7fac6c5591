// Time, injected: code that waits or compares times takes a Clock, so that no test sleeps.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"

namespace varve {

// Microseconds since 1970-01-01 UTC: what is stored and shown.
struct Timestamp {
  int64_t micros = 0;
  constexpr auto operator<=>(const Timestamp&) const = default;

  // ISO 8601 in UTC with microseconds: 2026-11-21T20:15:00.123456Z.
  std::string to_string() const;
  // The same, and shorter forms: without fraction, with a blank for the T, with an offset (+02:00)
  // for the Z; without any zone the time is UTC.
  static Result<Timestamp> parse(std::string_view text);
};

using Duration = std::chrono::nanoseconds;
// A point on a clock that never jumps and goes on while the machine sleeps (CLOCK_BOOTTIME).
using BootTime = std::chrono::nanoseconds;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
  virtual BootTime boot_time() const = 0;
  // Returns after `duration`, or earlier with false when a stop is requested. Duration::max() waits
  // for the stop alone.
  virtual bool sleep(Duration duration, std::stop_token stop) = 0;
};

// The machine's clock; one instance for the whole process.
Clock& system_clock();

// Stands still until it is moved.
class ManualClock : public Clock {
 public:
  enum class Sleep {
    kMoves,  // A sleep moves the clock and returns at once: for code that is tested in one thread.
    kWaits,  // A sleep waits until somebody else has moved the clock that far.
  };
  explicit ManualClock(Timestamp start = {1'700'000'000'000'000}, Sleep sleep = Sleep::kMoves)
      : sleep_(sleep), now_(start) {}

  Timestamp now() const override;
  BootTime boot_time() const override;
  bool sleep(Duration duration, std::stop_token stop) override;
  void advance(Duration duration);

  // Waits until a thread sleeps that will wake at `until`; BootTime::max() for one that sleeps
  // until it is stopped. One whose stop has been requested already does not count.
  void wait_for_sleeper(BootTime until);

 private:
  struct Sleeper {
    BootTime until;
    std::stop_token stop;
  };

  const Sleep sleep_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<Sleeper> sleepers_;
  Timestamp now_;
  BootTime boot_time_{0};
};

}  // namespace varve
