// Progress of long work, on stderr: a bar on a terminal, plain lines otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace varve {

// Not thread-safe. Shows nothing for work that is over within a second.
class ProgressDisplay {
 public:
  // What is being done: "import", "upload".
  explicit ProgressDisplay(std::string what);
  // Ends the line of a bar.
  ~ProgressDisplay();
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  // Bytes; `total` 0 when it is not known. `note` is shown behind them.
  void update(uint64_t done, uint64_t total, std::string_view note = {});

 private:
  using Time = std::chrono::steady_clock::time_point;

  const std::string what_;
  const bool is_terminal_;
  // Of the first update.
  std::optional<Time> start_;
  std::optional<Time> last_shown_;
  bool line_open_ = false;
};

// "1.5 GiB".
std::string format_bytes(uint64_t bytes);

}  // namespace varve
