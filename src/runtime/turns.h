// Turns at things that are told apart by an ID, for work that is too long for a lock: whoever has
// the turn of one keeps nobody waiting but those who want the same.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <string_view>
#include <utility>

#include "runtime/call_options.h"

namespace varve {

// Thread-safe. Not recursive: who has a turn and takes it again waits for itself.
template <typename Id>
class Turns {
 public:
  // Lasts until it is destroyed; the Turns outlive it.
  class Turn {
   public:
    Turn(Turn&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)), id_(other.id_) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (turns_ != nullptr) turns_->end(id_);
    }

   private:
    friend class Turns;
    Turn(Turns& turns, const Id& id) : turns_(&turns), id_(id) {}

    Turns* turns_;
    Id id_;
  };

  // Waits until nobody else has it. Cancelled, naming `what`, when the call is to end before.
  Result<Turn> take(const Id& id, std::string_view what, const CallOptions& call) {
    std::unique_lock lock(mutex_);
    const auto is_free = [&] { return !taken_.contains(id); };
    while (!is_free()) {
      VARVE_TRY(call.check(what));
      if (call.deadline.is_never()) {
        ended_.wait(lock, call.stop, is_free);
      } else {
        ended_.wait_for(lock, call.stop, call.deadline.remaining(), is_free);
      }
    }
    taken_.insert(id);
    return Turn(*this, id);
  }

 private:
  void end(const Id& id) {
    {
      const std::lock_guard lock(mutex_);
      taken_.erase(id);
    }
    ended_.notify_all();
  }

  std::mutex mutex_;
  std::set<Id> taken_;
  std::condition_variable_any ended_;
};

}  // namespace varve
