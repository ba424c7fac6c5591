#include "redo/redo_process_pool.h"

#include <algorithm>

#include "base/logging.h"
#include "redo/redo_process_check.h"

namespace varve {
namespace {

// How often a request, or its own start, may end a process. Two may well be ended by others than
// the page that they are at, such as the kernel when memory is short.
constexpr int kAttempts = 3;

// That no process can be started, told to whoever asks for a page. NotFound would tell them that
// there is no such page.
Error of_a_page(const Error& error) {
  if (error.code() == ErrorCode::kCancelled) return error;
  return Error(ErrorCode::kUnavailable, error.message());
}

}  // namespace

class RedoProcessPool::Exporter {
 public:
  explicit Exporter(Metrics& metrics)
      : pages_(pages(metrics, "ok")),
        errors_(pages(metrics, "error")),
        lost_(pages(metrics, "lost")),
        records_(metrics.counter("varve_redo_records_total",
                                 "WAL records that redo processes applied to pages.")),
        starts_(metrics.counter("varve_redo_process_starts_total",
                                "Redo processes that were started.")),
        failures_(metrics.counter(
            "varve_redo_process_failures_total",
            "Redo processes that broke off, gave no answer in time, or did not start.")),
        processes_(metrics.gauge("varve_redo_processes", "Redo processes that run.")),
        seconds_(metrics.histogram("varve_redo_seconds",
                                   "How long calls for one or more pages took, waiting for a "
                                   "process included.")) {}

  void count(std::span<const RedoRequest> requests, std::span<const Result<Bytes>> results,
             Duration taken) {
    for (size_t i = 0; i < results.size(); ++i) {
      if (results[i].ok()) {
        pages_.add();
        records_.add(static_cast<double>(requests[i].records.size()));
      } else if (results[i].failed_with(ErrorCode::kUnavailable)) {
        lost_.add();
      } else {
        errors_.add();
      }
    }
    seconds_.observe(std::chrono::duration<double>(taken).count());
  }
  void count_start() { starts_.add(); }
  void count_failure() { failures_.add(); }
  void set_processes(size_t count) { processes_.set(static_cast<double>(count)); }

 private:
  static Counter pages(Metrics& metrics, const std::string& result) {
    return metrics.counter("varve_redo_pages_total", "Pages asked of redo processes.",
                           {{"result", result}});
  }

  Counter pages_;
  Counter errors_;
  Counter lost_;
  Counter records_;
  Counter starts_;
  Counter failures_;
  Gauge processes_;
  Histogram seconds_;
};

RedoProcessPool::RedoProcessPool(RedoProcessPoolOptions options)
    : options_(std::move(options)),
      exporter_(options_.metrics != nullptr ? std::make_unique<Exporter>(*options_.metrics)
                                            : nullptr),
      starter_({.name = "redo-start", .threads = 1, .queue_capacity = 64}) {}

RedoProcessPool::~RedoProcessPool() {
  stop();
}

Result<> RedoProcessPool::start() {
  VARVE_ASSIGN(Process process, acquire());
  release(std::move(process));
  return {};
}

Result<Bytes> RedoProcessPool::apply(const Key& key, ByteView base,
                                     std::span<const Version> records) {
  const RedoRequest request{.key = key, .base = base, .records = records};
  return std::move(apply_many({&request, 1}).front());
}

std::vector<Result<Bytes>> RedoProcessPool::apply_many(std::span<const RedoRequest> requests) {
  const BootTime begin = system_clock().boot_time();
  std::vector<Result<Bytes>> results;
  results.reserve(requests.size());
  // How often a process failed at the first request that has no result.
  int failures = 0;
  while (results.size() < requests.size()) {
    const auto rest = requests.subspan(results.size());
    // Up to the next that is not even sent.
    const auto wrong = std::ranges::find_if_not(
        rest, [](const RedoRequest& request) { return check(request).ok(); });
    const auto right = static_cast<size_t>(wrong - rest.begin());
    if (right > 0) {
      apply_some(rest.first(right), failures, results);
    } else {
      results.emplace_back(check(rest.front()).error());
    }
  }
  if (exporter_) exporter_->count(requests, results, system_clock().boot_time() - begin);
  return results;
}

void RedoProcessPool::apply_some(std::span<const RedoRequest> requests, int& failures,
                                 std::vector<Result<Bytes>>& results) {
  const size_t before = results.size();
  auto process = acquire();
  if (!process.ok()) {
    const Error error = of_a_page(process.error());
    for (const RedoRequest& request : requests) {
      results.emplace_back(error.context(describe(request)));
    }
    return;
  }
  const auto exchanged = (*process)->exchange(requests, options_.deadline, call(), results);
  const size_t answered = results.size() - before;
  if (exchanged.ok()) {
    release(std::move(*process));
    return;
  }
  discard(std::move(*process));
  // Replies come in order: what the process was at is the first that has none.
  failures = answered == 0 ? failures + 1 : 1;
  const bool is_stopped = exchanged.failed_with(ErrorCode::kCancelled);
  if (!is_stopped && failures < kAttempts) {
    spdlog::warn("{}: {}; it is tried again in another process", describe(requests[answered]),
                 exchanged.error().message());
    return;
  }
  failures = 0;
  results.emplace_back(exchanged.error().context(describe(requests[answered])));
}

Result<RedoProcessPool::Process> RedoProcessPool::acquire() {
  while (true) {
    VARVE_TRY(call().check("redo"));
    const uint64_t seen = changed_.count();
    Duration pause = Duration::max();
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        Process process = std::move(idle_.back());
        idle_.pop_back();
        return process;
      }
      if (running_ < options_.processes) {
        pause = no_start_before_ - options_.clock->boot_time();
        if (pause <= Duration::zero()) {
          ++running_;
        } else if (start_error_ && running_ == 0) {
          // It is not going to be better at once.
          return *start_error_;
        }
      }
    }
    if (pause <= Duration::zero()) return start_process();
    changed_.wait(seen, pause, *options_.clock, stop_.get_token());
  }
}

Result<RedoProcessPool::Process> RedoProcessPool::start_process() {
  auto process = starter_.submit([this] { return start_process_here(); }).get();
  if (!process.ok()) {
    discard(nullptr, process.error());
  } else if (exporter_) {
    exporter_->count_start();
  }
  return process;
}

Result<RedoProcessPool::Process> RedoProcessPool::start_process_here() {
  for (int attempt = 1;; ++attempt) {
    auto process = start_and_check();
    // One that broke off may have been killed, just as one at work may be.
    if (!process.failed_with(ErrorCode::kUnavailable) || attempt == kAttempts) return process;
    if (exporter_) exporter_->count_failure();
    spdlog::warn("{}; another is started", process.error().message());
  }
}

Result<RedoProcessPool::Process> RedoProcessPool::start_and_check() {
  VARVE_ASSIGN(Process process, RedoProcess::start(options_.process, call()));
  VARVE_TRY(check_redo_process(*process, options_.process.start_deadline, call()));
  return process;
}

void RedoProcessPool::release(Process process) {
  {
    const std::lock_guard lock(mutex_);
    failures_ = 0;
    start_error_.reset();
    // After stop() nobody would end it before the pool itself ends.
    if (!stop_.stop_requested()) idle_.push_back(std::move(process));
    if (exporter_) exporter_->set_processes(running_);
  }
  changed_.notify();
}

void RedoProcessPool::discard(Process process, std::optional<Error> start_error) {
  process.reset();
  {
    const std::lock_guard lock(mutex_);
    --running_;
    start_error_ = std::move(start_error);
    no_start_before_ = options_.clock->boot_time() +
                       backoff_delay(options_.backoff, ++failures_, *options_.random);
    if (exporter_) {
      if (!stop_.stop_requested()) exporter_->count_failure();
      exporter_->set_processes(running_);
    }
  }
  changed_.notify();
}

void RedoProcessPool::stop() {
  stop_.request_stop();
  std::vector<Process> idle;
  {
    const std::lock_guard lock(mutex_);
    idle.swap(idle_);
    running_ -= idle.size();
  }
  changed_.notify();
}

}  // namespace varve
