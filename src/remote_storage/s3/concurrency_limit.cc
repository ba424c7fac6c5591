#include "remote_storage/s3/concurrency_limit.h"

#include <algorithm>

namespace varve::s3 {
namespace {

// How often a waiter looks at its deadline.
constexpr Duration kTick = std::chrono::milliseconds(500);

}  // namespace

Result<ConcurrencyLimit::Permit> ConcurrencyLimit::acquire(const CallOptions& options) {
  std::unique_lock lock(mutex_);
  const auto has_room = [this] { return static_cast<double>(running_ + 1) <= limit_; };
  for (;;) {
    VARVE_TRY(options.check("waiting for other requests"));
    const Duration wait = std::min(kTick, options.deadline.remaining());
    if (changed_.wait_for(lock, options.stop, wait, has_room)) break;
  }
  ++running_;
  return Permit(this, epoch_);
}

size_t ConcurrencyLimit::limit() const {
  const std::lock_guard lock(mutex_);
  return static_cast<size_t>(limit_);
}

ConcurrencyLimit::Permit::~Permit() {
  if (limit_ == nullptr) return;
  {
    const std::lock_guard lock(limit_->mutex_);
    --limit_->running_;
  }
  limit_->changed_.notify_all();
}

void ConcurrencyLimit::Permit::succeeded() {
  const std::lock_guard lock(limit_->mutex_);
  limit_->limit_ = std::min(limit_->maximum_, limit_->limit_ + 1 / limit_->limit_);
}

void ConcurrencyLimit::Permit::throttled() {
  const std::lock_guard lock(limit_->mutex_);
  if (epoch_ != limit_->epoch_) return;
  ++limit_->epoch_;
  limit_->limit_ = std::max(1.0, limit_->limit_ / 2);
}

}  // namespace varve::s3
