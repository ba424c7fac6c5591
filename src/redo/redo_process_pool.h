// Redo by PostgreSQL itself, in several processes.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "layer/redo.h"
#include "redo/redo_process.h"
#include "runtime/signal.h"
#include "runtime/thread_pool.h"

namespace varve {

// Thread-safe. Outlives the calls to it.
//
// Processes are started when there is something to do for them. Where none can be started, requests
// fail, with the reason and the remedy; it is tried again at the first one after a pause. For one
// that breaks off while it is started, another is started at once. A request during which its
// process breaks off, or gives no answer, is repeated in others, twice; one that PostgreSQL answers
// with an error is not. Metrics: varve_redo_pages_total{result}, varve_redo_records_total,
// varve_redo_process_starts_total, varve_redo_process_failures_total, varve_redo_processes,
// varve_redo_seconds.
class RedoProcessPool : public Redo {
 public:
  explicit RedoProcessPool(RedoProcessPoolOptions options);
  ~RedoProcessPool() override;

  // Has a process ready, and tested, before the first request. Errors as of RedoProcess::start and
  // check_redo_process; Cancelled after stop().
  Result<> start();

  // `key` is of a relation's block, each record a StoredRecord with the LSN of its end. The
  // checksum in the page is not that of its content. Corrupted when the records do not make the
  // page; Unavailable when no process does it, Cancelled after stop().
  Result<Bytes> apply(const Key& key, ByteView base, std::span<const Version> records) override;

  // The same for many, whose results come in order, by one process: several times as fast as one by
  // one. Call it from several threads to use several processes.
  std::vector<Result<Bytes>> apply_many(std::span<const RedoRequest> requests) override;

  // Ends what runs, promptly; calls that wait or come later are Cancelled.
  void stop();

 private:
  class Exporter;
  using Process = std::unique_ptr<RedoProcess>;

  CallOptions call() const { return {.deadline = Deadline::never(), .stop = stop_.get_token()}; }
  // Waits for one that is free, or for the turn to start one.
  Result<Process> acquire();
  void release(Process process);
  // Instead of release(), after a failure; of its start, if there is an error.
  void discard(Process process, std::optional<Error> start_error = {});
  Result<Process> start_process();
  Result<Process> start_process_here();
  Result<Process> start_and_check();
  // Results for a part of `requests`, at least one of them, from the first on.
  void apply_some(std::span<const RedoRequest> requests, int& failures,
                  std::vector<Result<Bytes>>& results);

  const RedoProcessPoolOptions options_;
  const std::unique_ptr<Exporter> exporter_;
  std::stop_source stop_;
  // When a process became free, or room for one.
  Signal changed_;
  std::mutex mutex_;
  std::vector<Process> idle_;
  size_t running_ = 0;  // Those that are idle, used or being started.
  int failures_ = 0;    // Since a process last did its work.
  BootTime no_start_before_{0};
  // Of the last start, if that was the last thing to fail.
  std::optional<Error> start_error_;
  // Processes die with the thread that starts them, which therefore lives as long as the pool.
  ThreadPool starter_;
};

}  // namespace varve
