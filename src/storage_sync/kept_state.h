// A state that is kept in a file of the work directory: many read it, one at a time changes it.
//
// A checkpoint and the upload of an earlier one both end with changing the metadata file of their
// timeline. Each applies its change to the state as it is then, so that neither undoes the other.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>

#include "storage_sync/local_manifest.h"
#include "storage_sync/local_tenant.h"

namespace varve {

// `State` is copyable and has `Result<> write(const std::filesystem::path& directory) const`, which
// replaces its file atomically. Thread-safe.
template <typename State>
class KeptState {
 public:
  using Change = std::function<Result<>(State&)>;

  // `state` is what the file in `directory` holds, or will with the first change.
  KeptState(std::filesystem::path directory, State state)
      : directory_(std::move(directory)), state_(std::make_shared<const State>(std::move(state))) {}

  const std::filesystem::path& directory() const { return directory_; }

  // As of now; what is changed later does not show in it.
  std::shared_ptr<const State> get() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }

  // Held over the whole of a commit of the log that the state belongs to: a log has one at a time,
  // and so has its nonce journal.
  [[nodiscard]] std::unique_lock<std::mutex> take_commit_turn() {
    return std::unique_lock(commit_turn_);
  }

  // Changes a copy, writes it, and makes it the state; after an error of `change` or of writing the
  // state is as it was.
  Result<> change(const Change& change) {
    // Changes take turns, writing included, or the file could end up older than the state. Readers
    // only ever wait for the exchange of a pointer.
    const std::lock_guard turn(turn_);
    auto next = std::make_shared<State>(*get());
    VARVE_TRY(change(*next));
    VARVE_TRY(next->write(directory_));
    const std::lock_guard lock(mutex_);
    state_ = std::move(next);
    return {};
  }

 private:
  const std::filesystem::path directory_;
  std::mutex commit_turn_;
  std::mutex turn_;
  mutable std::mutex mutex_;
  std::shared_ptr<const State> state_;
};

// The state of a timeline, in its metadata file.
using KeptTimeline = KeptState<LocalManifest>;
// What is known of a tenant, in its tenant file.
using KeptTenant = KeptState<LocalTenant>;

}  // namespace varve
