// How a timeline stands between the work directory and the remote storage.
#pragma once

#include <string_view>

namespace varve {

enum class TimelineSyncState {
  kReady,           // Local, and at least as new as the remote.
  kAwaitsDownload,  // Local, and behind the remote.
  kCloudOnly,       // Only remote; read on demand.
  kEvicted,         // Given up after too many errors: nothing more is uploaded from it.
};

// "Ready", "AwaitsDownload", "CloudOnly", "Evicted".
std::string_view name(TimelineSyncState state);

}  // namespace varve
