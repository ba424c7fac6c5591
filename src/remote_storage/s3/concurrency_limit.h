// How many requests of a kind may run at once, by what the server can bear.
#pragma once

#include <condition_variable>
#include <mutex>

#include "runtime/call_options.h"

namespace varve::s3 {

// Additive increase, multiplicative decrease: the limit starts at the maximum, is halved when a
// request is throttled, and grows by one each time as many requests as it allows have succeeded.
// Requests that were begun before it was halved do not halve it again, so that one burst of
// refusals counts once. Never below 1. Thread-safe.
class ConcurrencyLimit {
 public:
  // `maximum` is at least 1.
  explicit ConcurrencyLimit(size_t maximum)
      : maximum_(static_cast<double>(maximum)), limit_(maximum_) {}

  // The right to run one request, given back on destruction.
  class Permit {
   public:
    Permit(Permit&& other) noexcept
        : limit_(std::exchange(other.limit_, nullptr)), epoch_(other.epoch_) {}
    Permit& operator=(Permit&&) = delete;
    ~Permit();

    // What became of the request; others than these two say nothing about the server's load.
    void succeeded();
    void throttled();

   private:
    friend class ConcurrencyLimit;
    Permit(ConcurrencyLimit* limit, uint64_t epoch) : limit_(limit), epoch_(epoch) {}
    ConcurrencyLimit* limit_;
    uint64_t epoch_;
  };

  // Waits for its turn. Cancelled when the options say so before.
  Result<Permit> acquire(const CallOptions& options);

  size_t limit() const;

 private:
  const double maximum_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  double limit_;
  size_t running_ = 0;
  // How often it was halved.
  uint64_t epoch_ = 0;
};

}  // namespace varve::s3
