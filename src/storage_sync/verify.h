// Checking a whole prefix: every object, reference and, on request, every byte.
#pragma once

#include <string>
#include <vector>

#include "storage_sync/sync_context.h"

namespace varve {

enum class FindingKind {
  kCorrupt,     // Bytes are not what was written.
  kMissing,     // Something refers to what is not there.
  kOrphan,      // Nothing refers to it: it costs space and harms nothing.
  kForeign,     // A key that is none of ours.
  kUnfinished,  // An upload in parts that nobody will end: it costs space and harms nothing.
};

// "corrupt", "missing", "orphan", "foreign", "unfinished".
std::string_view name(FindingKind kind);
// Whether data is damaged or lost.
bool is_damage(FindingKind kind);

struct Finding {
  FindingKind kind;
  std::string object;  // Its key.
  std::string member;  // Empty when the finding is about the object as a whole.
  std::string detail;
};

struct VerifyReport {
  uint64_t objects = 0;
  uint64_t bytes_stored = 0;
  // Raw bytes of members that were read and compared with their checksums.
  uint64_t bytes_read = 0;
  std::vector<Finding> findings;

  bool damaged() const;
};

enum class VerifyDepth {
  kReferences,  // Headers, manifests, trailers, frame tables, and that everything referred to is
                // there.
  kEveryByte,   // Every frame of every member as well.
};

// An error says that the check itself could not be done; what it found wrong is in the report.
Result<VerifyReport> verify_remote(const SyncContext& context, VerifyDepth depth,
                                   const ByteProgress& progress, const CallOptions& options);

}  // namespace varve
