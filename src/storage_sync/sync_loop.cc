#include "storage_sync/sync_loop.h"

namespace varve {

void SyncLoop::start(std::vector<TimelineSyncStatus> states) {
  driver_.open(std::move(states));
  thread_ = std::jthread([this] {
    for (auto turn = driver_.turn(); !turn.last; turn = driver_.turn()) {
      clock_.sleep(turn.pause, turn.woken);
    }
  });
}

void SyncLoop::shutdown() {
  if (driver_.close()) thread_.join();
}

}  // namespace varve
