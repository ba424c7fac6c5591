// Credentials of a source, kept while they are valid and renewed before they expire.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include "remote_storage/s3/credentials_source.h"

namespace varve::s3 {

// Thread-safe. One caller at a time asks the source, with its own deadline and without a lock; the
// others go on with what is still valid, or wait for it where there is nothing. When it fails,
// those who wait get the same error, but a Cancelled one is its own: another of them asks then.
//
// A renewal begins kRenewalMargin before the expiry. When it fails, that is logged and the old
// credentials are used on until they expire. Between two renewals lies kRenewalPause, also when the
// source gives credentials that are about to expire, or have by this machine's clock: whether they
// are still valid is the server's business.
class RenewingCredentials : public CredentialsProvider {
 public:
  static constexpr Duration kRenewalMargin = std::chrono::minutes(5);
  static constexpr Duration kRenewalPause = std::chrono::minutes(1);

  // `clock` outlives it.
  RenewingCredentials(std::unique_ptr<CredentialsSource> source, Clock& clock);

  Result<std::optional<Credentials>> get(const CallOptions& options) override;
  // When the source gives the same ones again, rejecting them does nothing during kRenewalPause.
  void reject(const Credentials& credentials) override;
  std::string source() const override;

 private:
  // Whether the current credentials need no renewal.
  bool fresh() const;
  // Whether the current credentials do for now.
  bool usable() const;
  // Waits until nobody asks the source. The error is that of a failure meanwhile, or Cancelled.
  Result<> wait(std::unique_lock<std::mutex>& lock, const CallOptions& options);
  void accept(FetchedCredentials fetched);
  // What the caller who asked gets when it failed.
  Result<std::optional<Credentials>> settle_failure(const Error& error);

  Clock& clock_;
  // Used by the one who has set asking_.
  const std::unique_ptr<CredentialsSource> source_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool asking_ = false;
  std::optional<Credentials> current_;
  std::string source_name_ = "the default sources";
  // The server did not accept the current ones.
  bool rejected_ = false;
  // No renewal for the sake of the expiry before.
  BootTime next_renewal_{0};
  // No renewal for the sake of a rejection before.
  BootTime next_rejection_{0};
  // Rises with every failure that those who wait are told.
  uint64_t failures_ = 0;
  std::optional<Error> last_failure_;
};

}  // namespace varve::s3
