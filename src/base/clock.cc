#include "base/clock.h"

#include <fmt/chrono.h>
#include <time.h>

#include <algorithm>
#include <cctype>

namespace varve {
namespace {

class SystemClock : public Clock {
 public:
  Timestamp now() const override {
    return {std::chrono::duration_cast<std::chrono::microseconds>(
                std::chrono::system_clock::now().time_since_epoch())
                .count()};
  }

  BootTime boot_time() const override {
    timespec time{};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }

  bool sleep(Duration duration, std::stop_token stop) override {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any condition;
    if (duration == Duration::max()) return condition.wait(lock, stop, [] { return false; });
    return !condition.wait_for(lock, stop, duration, [&] { return stop.stop_requested(); });
  }
};

// Reads exactly `digits` decimal digits at `at` and moves it on.
bool read_digits(std::string_view text, size_t& at, size_t digits, int64_t& out) {
  out = 0;
  for (size_t i = 0; i < digits; ++i, ++at) {
    if (at >= text.size() || std::isdigit(static_cast<unsigned char>(text[at])) == 0) return false;
    out = out * 10 + (text[at] - '0');
  }
  return true;
}

bool read_char(std::string_view text, size_t& at, std::string_view any_of) {
  if (at >= text.size() || any_of.find(text[at]) == std::string_view::npos) return false;
  ++at;
  return true;
}

// Up to six digits of a second, as microseconds; more digits are cut off.
bool read_fraction(std::string_view text, size_t& at, int64_t& micros) {
  micros = 0;
  size_t digits = 0;
  for (; at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0; ++at) {
    if (digits++ < 6) micros = micros * 10 + (text[at] - '0');
  }
  for (size_t i = digits; i < 6; ++i) micros *= 10;
  return digits > 0;
}

// "", "Z", "+HH", "+HH:MM", "+HHMM" and the same with "-".
bool read_zone(std::string_view text, size_t& at, int64_t& offset_minutes) {
  offset_minutes = 0;
  if (at == text.size()) return true;
  if (read_char(text, at, "Zz")) return at == text.size();
  const bool east = text[at] == '+';
  int64_t hours = 0;
  int64_t minutes = 0;
  if (!read_char(text, at, "+-") || !read_digits(text, at, 2, hours)) return false;
  if (at < text.size()) {
    read_char(text, at, ":");
    if (!read_digits(text, at, 2, minutes)) return false;
  }
  offset_minutes = (hours * 60 + minutes) * (east ? 1 : -1);
  return at == text.size() && hours <= 15 && minutes < 60;
}

}  // namespace

std::string Timestamp::to_string() const {
  int64_t seconds = micros / 1'000'000;
  int64_t fraction = micros % 1'000'000;
  if (fraction < 0) {
    fraction += 1'000'000;
    --seconds;
  }
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(static_cast<time_t>(seconds)),
                     fraction);
}

Result<Timestamp> Timestamp::parse(std::string_view text) {
  const auto invalid = [&] {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' is not a time: expected ISO 8601 such as 2026-11-21T20:15:00Z", text);
  };
  size_t at = 0;
  int64_t year = 0;
  int64_t month = 0;
  int64_t day = 0;
  int64_t hour = 0;
  int64_t minute = 0;
  int64_t second = 0;
  int64_t micros = 0;
  int64_t offset_minutes = 0;
  if (!read_digits(text, at, 4, year) || !read_char(text, at, "-") ||
      !read_digits(text, at, 2, month) || !read_char(text, at, "-") ||
      !read_digits(text, at, 2, day) || !read_char(text, at, "Tt ") ||
      !read_digits(text, at, 2, hour) || !read_char(text, at, ":") ||
      !read_digits(text, at, 2, minute)) {
    return invalid();
  }
  if (read_char(text, at, ":")) {
    if (!read_digits(text, at, 2, second)) return invalid();
    if (read_char(text, at, ".") && !read_fraction(text, at, micros)) return invalid();
  }
  if (!read_zone(text, at, offset_minutes)) return invalid();

  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return invalid();
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const int64_t seconds = ((days * 24 + hour) * 60 + minute - offset_minutes) * 60 + second;
  return Timestamp{seconds * 1'000'000 + micros};
}

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

Timestamp ManualClock::now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

BootTime ManualClock::boot_time() const {
  const std::lock_guard lock(mutex_);
  return boot_time_;
}

bool ManualClock::sleep(Duration duration, std::stop_token stop) {
  if (stop.stop_requested()) return false;
  const bool forever = duration == Duration::max();
  if (sleep_ == Sleep::kMoves && !forever) {
    advance(duration);
    return true;
  }
  std::unique_lock lock(mutex_);
  const BootTime until = forever ? BootTime::max() : boot_time_ + duration;
  const auto sleeper = sleepers_.insert(sleepers_.end(), {until, stop});
  changed_.notify_all();
  const bool slept = changed_.wait(lock, stop, [&] { return boot_time_ >= until; });
  sleepers_.erase(sleeper);
  return slept;
}

void ManualClock::advance(Duration duration) {
  const std::lock_guard lock(mutex_);
  now_.micros += std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  boot_time_ += duration;
  changed_.notify_all();
}

void ManualClock::wait_for_sleeper(BootTime until) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    return std::ranges::any_of(sleepers_, [&](const Sleeper& sleeper) {
      return sleeper.until == until && !sleeper.stop.stop_requested();
    });
  });
}

}  // namespace varve
