// What a timeline needs done in the background: checkpoints and compaction.
#pragma once

#include <functional>
#include <thread>

#include "runtime/backoff.h"
#include "runtime/signal.h"
#include "timeline/timeline.h"

namespace varve {

// Two threads: one writes what is frozen, and makes a checkpoint where the last one is too long
// ago; the other compacts after checkpoints, so that these never wait for it. What fails is logged
// and tried again after growing pauses.
class TimelineMaintenance {
 public:
  struct Options {
    // What was ingested is in layer files after so long at most.
    Duration checkpoint_interval = std::chrono::seconds(10);
    BackoffOptions backoff = {};
    // Called after each checkpoint, by the thread that made it: to have it uploaded.
    std::function<void()> checkpointed = {};
  };
  // They outlive it.
  TimelineMaintenance(Timeline& timeline, Clock& clock, Random& random, Options options);
  // Waits for what is being done; makes no last checkpoint.
  ~TimelineMaintenance();

 private:
  void write_checkpoints(const std::stop_token& stop);
  void compact(const std::stop_token& stop);
  // Sleeps after an error.
  void pause(const Error& error, int failures, std::string_view what, const std::stop_token& stop);

  Timeline& timeline_;
  Clock& clock_;
  Random& random_;
  const Options options_;
  Signal checkpoints_;
  std::jthread checkpoint_thread_;
  std::jthread compaction_thread_;
};

}  // namespace varve
