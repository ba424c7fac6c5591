// Checking a whole prefix: every object, reference and, on request, every byte.
#pragma once

#include <vector>

#include "storage_sync/sync_context.h"
#include "storage_sync/verify/finding.h"
#include "storage_sync/verify/member_check.h"
#include "storage_sync/verify/progress_counter.h"

namespace varve {

struct VerifyOptions {
  VerifyDepth depth = VerifyDepth::kReferences;
  // Objects and members that are checked at once, 1 or more. Each holds at most a frame as stored
  // and once more unpacked, or one manifest.
  size_t jobs = 4;
  // Uploads in parts that were begun within so long may still be under way.
  Duration grace_period = SyncOptions{}.grace_period;
};

struct VerifyReport {
  uint64_t objects = 0;
  uint64_t bytes_stored = 0;
  // Raw bytes of frames that were read and are what was written.
  uint64_t bytes_read = 0;
  // Sorted: the same whatever the threads did.
  std::vector<Finding> findings;

  bool damaged() const;
};

// An error says that the check itself could not be done; what it found wrong is in the report.
// Reads every object listed at its beginning once; what others write meanwhile does not count.
Result<VerifyReport> verify_remote(RemoteStorage& storage, const VerifyOptions& verify,
                                   const VerifyProgressCallback& progress,
                                   const CallOptions& options);

}  // namespace varve
