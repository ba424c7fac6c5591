#include "remote_storage/s3/credentials_renewing.h"

#include "base/logging.h"

namespace varve::s3 {
namespace {

constexpr int64_t kMarginMicros =
    std::chrono::duration_cast<std::chrono::microseconds>(RenewingCredentials::kRenewalMargin)
        .count();

bool same_keys(const Credentials& one, const Credentials& other) {
  return one.access_key_id == other.access_key_id &&
         one.secret_access_key == other.secret_access_key &&
         one.session_token == other.session_token;
}

}  // namespace

RenewingCredentials::RenewingCredentials(std::unique_ptr<CredentialsSource> source, Clock& clock)
    : clock_(clock), source_(std::move(source)) {}

bool RenewingCredentials::fresh() const {
  if (!current_ || rejected_) return false;
  if (!current_->expires_at || clock_.boot_time() < next_renewal_) return true;
  return clock_.now().micros < current_->expires_at->micros - kMarginMicros;
}

bool RenewingCredentials::usable() const {
  return current_ && !rejected_ && (!current_->expires_at || clock_.now() < *current_->expires_at);
}

Result<> RenewingCredentials::wait(std::unique_lock<std::mutex>& lock, const CallOptions& options) {
  const uint64_t failures_before = failures_;
  const auto done = [&] { return !asking_; };
  if (const Duration limit = options.deadline.remaining(clock_); limit == Duration::max()) {
    changed_.wait(lock, options.stop, done);
  } else {
    changed_.wait_for(lock, options.stop, limit, done);
  }
  VARVE_TRY(options.check("waiting for credentials", clock_));
  if (failures_ != failures_before) return *last_failure_;
  return {};
}

void RenewingCredentials::accept(FetchedCredentials fetched) {
  const bool same = current_ && fetched.credentials && same_keys(*current_, *fetched.credentials);
  if (rejected_ && same) next_rejection_ = clock_.boot_time() + kRenewalPause;
  current_ = std::move(fetched.credentials);
  source_name_ = std::move(fetched.source);
  rejected_ = false;
  next_renewal_ = clock_.boot_time() + kRenewalPause;
}

Result<std::optional<Credentials>> RenewingCredentials::settle_failure(const Error& error) {
  if (usable()) {
    if (error.code() == ErrorCode::kCancelled) return current_;
    log_error(fmt::format("renewing the credentials from {}; the old ones are valid until {}",
                          source_name_, current_->expires_at->to_string()),
              error);
    const Duration left =
        std::chrono::microseconds(current_->expires_at->micros - clock_.now().micros);
    next_renewal_ = clock_.boot_time() + std::min(kRenewalPause, left);
    return current_;
  }
  if (error.code() != ErrorCode::kCancelled) {
    ++failures_;
    last_failure_ = error;
  }
  return error;
}

Result<std::optional<Credentials>> RenewingCredentials::get(const CallOptions& options) {
  std::unique_lock lock(mutex_);
  while (true) {
    if (fresh() || (asking_ && usable())) return current_;
    if (!asking_) break;
    VARVE_TRY(wait(lock, options));
  }
  asking_ = true;
  lock.unlock();
  auto fetched = source_->fetch(options);
  lock.lock();
  asking_ = false;
  changed_.notify_all();
  if (!fetched.ok()) return settle_failure(fetched.error());
  accept(std::move(*fetched));
  return current_;
}

void RenewingCredentials::reject(const Credentials& credentials) {
  const std::lock_guard lock(mutex_);
  if (!current_ || !same_keys(*current_, credentials)) return;
  if (clock_.boot_time() < next_rejection_) return;
  rejected_ = true;
}

std::string RenewingCredentials::source() const {
  const std::lock_guard lock(mutex_);
  return source_name_;
}

}  // namespace varve::s3
