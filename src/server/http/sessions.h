// Things that requests go on with, by an ID that was drawn for them.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"

namespace varve::http {

struct SessionTag {
  static constexpr std::string_view kNoun = "session";
};
using SessionId = Id<SessionTag>;

struct SessionLimits {
  size_t count = 64;
  // What nobody has asked for so long may be given up.
  Duration idle = std::chrono::minutes(5);
};

// Thread-safe. `T` is destroyed by whoever uses it last.
template <typename T>
class Sessions {
 public:
  // `noun` is what messages call one.
  explicit Sessions(std::string_view noun, SessionLimits limits = {}, Clock& clock = system_clock(),
                    Random& random = system_random())
      : noun_(noun), limits_(limits), clock_(clock), random_(random) {}

  // Gives up those that nobody has asked for too long, and says how many; so does every other call.
  size_t give_up_idle() { return take_idle().size(); }

  // Throttled when there are as many as there may be.
  Result<std::string> add(std::shared_ptr<T> session) {
    const auto idle = take_idle();
    const std::lock_guard lock(mutex_);
    if (sessions_.size() >= limits_.count) {
      return make_error(ErrorCode::kThrottled, "there are {} {}s already: come back later",
                        sessions_.size(), noun_);
    }
    const std::string id = random_.next_id<SessionId>().to_string();
    sessions_[id] = {.session = std::move(session), .used = clock_.boot_time()};
    return id;
  }

  // NotFound when there is none.
  Result<std::shared_ptr<T>> find(const std::string& id) {
    const auto idle = take_idle();
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) {
      return make_error(ErrorCode::kNotFound,
                        "there is no {} '{}': it was ended, left alone too long, or made before "
                        "the server was started",
                        noun_, id);
    }
    found->second.used = clock_.boot_time();
    return found->second.session;
  }

  // As find(), and it is gone.
  Result<std::shared_ptr<T>> take(const std::string& id) {
    VARVE_ASSIGN(auto session, find(id));
    const std::lock_guard lock(mutex_);
    sessions_.erase(id);
    return session;
  }

 private:
  struct Slot {
    std::shared_ptr<T> session;
    BootTime used{0};
  };

  // Destroyed by the caller, without the lock. One that is in use is not idle.
  std::vector<std::shared_ptr<T>> take_idle() {
    std::vector<std::shared_ptr<T>> idle;
    const std::lock_guard lock(mutex_);
    const BootTime before = clock_.boot_time() - limits_.idle;
    for (auto slot = sessions_.begin(); slot != sessions_.end();) {
      const bool is_idle = slot->second.used < before && slot->second.session.use_count() == 1;
      if (!is_idle) {
        ++slot;
        continue;
      }
      idle.push_back(std::move(slot->second.session));
      slot = sessions_.erase(slot);
    }
    return idle;
  }

  const std::string noun_;
  const SessionLimits limits_;
  Clock& clock_;
  Random& random_;
  std::mutex mutex_;
  std::map<std::string, Slot> sessions_;
};

}  // namespace varve::http
