#include "timeline/timeline_maintenance.h"

#include "base/logging.h"

namespace varve {

TimelineMaintenance::TimelineMaintenance(Timeline& timeline, Clock& clock, Random& random,
                                         Options options)
    : timeline_(timeline), clock_(clock), random_(random), options_(std::move(options)) {
  checkpoint_thread_ =
      std::jthread([this](const std::stop_token& stop) { write_checkpoints(stop); });
  compaction_thread_ = std::jthread([this](const std::stop_token& stop) { compact(stop); });
}

TimelineMaintenance::~TimelineMaintenance() {
  checkpoint_thread_.request_stop();
  compaction_thread_.request_stop();
}

void TimelineMaintenance::write_checkpoints(const std::stop_token& stop) {
  BootTime due = clock_.boot_time() + options_.checkpoint_interval;
  int failures = 0;
  while (!stop.stop_requested()) {
    const uint64_t seen = timeline_.frozen_signal().count();
    if (clock_.boot_time() >= due) timeline_.freeze();
    const auto written = timeline_.flush();
    if (!written.ok()) {
      pause(written.error(), ++failures, "no checkpoint was made", stop);
      continue;
    }
    failures = 0;
    if (clock_.boot_time() >= due) due = clock_.boot_time() + options_.checkpoint_interval;
    if (*written) {
      if (options_.checkpointed) options_.checkpointed();
      checkpoints_.notify();
      continue;
    }
    timeline_.frozen_signal().wait(seen, due - clock_.boot_time(), clock_, stop);
  }
}

void TimelineMaintenance::compact(const std::stop_token& stop) {
  int failures = 0;
  while (!stop.stop_requested()) {
    const uint64_t seen = checkpoints_.count();
    const auto compacted = timeline_.compact();
    if (!compacted.ok()) {
      pause(compacted.error(), ++failures, "layers were not compacted", stop);
      continue;
    }
    failures = 0;
    if (!*compacted) checkpoints_.wait(seen, Duration::max(), clock_, stop);
  }
}

void TimelineMaintenance::pause(const Error& error, int failures, std::string_view what,
                                const std::stop_token& stop) {
  log_error(what, error);
  clock_.sleep(backoff_delay(options_.backoff, failures, random_), stop);
}

}  // namespace varve
