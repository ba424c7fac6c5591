// Redo of timelines that hold WAL, by the PostgreSQL of this machine.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>

#include "layer/redo.h"
#include "redo/redo_process_pool.h"
#include "server/settings.h"

namespace varve {

// Nothing runs before something is to be redone, or start() was called. Thread-safe, but for
// start().
class WalRedoService {
 public:
  struct Options {
    // For what processes need, if the user that they run as can reach it; empty: none.
    std::filesystem::path scratch_directory = {};
    // Outlives it and what it gives; no metrics are exported without.
    Metrics* metrics = nullptr;
    // When requested, stop() is called.
    std::stop_token stop = {};
  };
  WalRedoService(const Settings& settings, const Options& options);

  // Outlives this where it is kept; it is stopped then.
  std::shared_ptr<Redo> redo() const { return redo_; }

  // Has a process ready before the first request, in the background. That there can be none is
  // logged: only timelines that hold WAL suffer from it.
  void start();
  // Requests that wait end, and later ones fail: Cancelled.
  void stop() { processes_->stop(); }

  ~WalRedoService() { stop(); }

 private:
  const std::shared_ptr<RedoProcessPool> processes_;
  const std::shared_ptr<Redo> redo_;
  const std::stop_callback<std::function<void()>> on_stop_;
  std::jthread starter_;
};

}  // namespace varve
