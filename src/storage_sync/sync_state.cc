#include "storage_sync/sync_state.h"

namespace varve {

std::string_view name(TimelineSyncState state) {
  switch (state) {
    case TimelineSyncState::kReady:
      return "Ready";
    case TimelineSyncState::kAwaitsDownload:
      return "AwaitsDownload";
    case TimelineSyncState::kCloudOnly:
      return "CloudOnly";
    case TimelineSyncState::kEvicted:
      return "Evicted";
  }
  return "Unknown";
}

void SyncObserver::task_failed(const SyncTask& /*task*/, const Error& /*error*/,
                               const FinishOutcome& /*outcome*/) {}

}  // namespace varve
