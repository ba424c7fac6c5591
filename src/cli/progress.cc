#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <string_view>

namespace varve {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstShownAfter(1000);
constexpr milliseconds kBarInterval(100);
constexpr milliseconds kLineInterval(5000);
constexpr size_t kBarWidth = 30;

}  // namespace

std::string format_bytes(uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

ProgressDisplay::ProgressDisplay(std::string what)
    : what_(std::move(what)), is_terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressDisplay::~ProgressDisplay() {
  if (line_open_) fmt::print(stderr, "\n");
}

void ProgressDisplay::update(uint64_t done, uint64_t total, std::string_view note) {
  const auto now = std::chrono::steady_clock::now();
  if (!start_) start_ = now;
  const bool finished = total > 0 && done >= total;
  if (!last_shown_) {
    if (now - *start_ < kFirstShownAfter) return;
  } else if (!finished && now - *last_shown_ < (is_terminal_ ? kBarInterval : kLineInterval)) {
    return;
  }
  last_shown_ = now;

  const double elapsed = std::chrono::duration<double>(now - *start_).count();
  const auto rate = static_cast<uint64_t>(static_cast<double>(done) / elapsed);
  const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
  std::string line = fmt::format("{} {} of {}, {}/s", what_, format_bytes(done),
                                 total > 0 ? format_bytes(total) : "?", format_bytes(rate));
  if (total > 0 && rate > 0 && !finished) {
    line += fmt::format(", {} s left", (total - done) / rate);
  }
  if (!note.empty()) line += fmt::format(", {}", note);
  if (is_terminal_) {
    const auto filled = static_cast<size_t>(share * kBarWidth);
    fmt::print(stderr, "\r[{:<{}}] {:3.0f} % {}\x1b[K", std::string(filled, '#'), kBarWidth,
               share * 100, line);
    line_open_ = true;
  } else {
    fmt::print(stderr, "{:3.0f} % {}\n", share * 100, line);
  }
}

}  // namespace varve
