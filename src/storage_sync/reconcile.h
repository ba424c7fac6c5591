// What follows from comparing a timeline in the work directory with its remote log: a pure function
// of both, for every combination. docs/reconciliation.md shows it as a table; change both together.
#pragma once

#include <optional>

#include "base/lsn.h"
#include "storage_sync/sync_state.h"

namespace varve {

// A timeline in the work directory.
struct LocalSide {
  enum class Files {
    kNone,
    kDamaged,  // There is a directory, and its metadata file is missing or cannot be used.
    kValid,
  };
  Files files = Files::kNone;
  // The rest: of valid files.
  uint64_t head_sequence = 0;  // The newest commit that is known here.
  bool changed = false;        // Something differs from that commit.
  Lsn disk_consistent_lsn;
};

// The timeline's log. Only a head above the local one needs to be read.
struct RemoteSide {
  enum class Head {
    kNotRead,
    kUnreadable,  // Damaged.
    kBegunHere,   // The attempt is in the journal of this work directory.
    kOwn,         // By the writer of this work directory, and not begun in it as it is now.
    kForeign,
  };
  uint64_t head_sequence = 0;  // 0: there is no log.
  // The rest: of a head that was read.
  Head head = Head::kNotRead;
  bool deleted = false;
  Lsn disk_consistent_lsn;
};

enum class Verdict {
  kNothing,           // There is no such timeline; at most an import that did not finish.
  kCloudOnly,         // Only remote.
  kLost,              // Only here, and damaged.
  kRolledBack,        // The log ends before a commit that is known here.
  kUnreadable,        // The head is needed, and damaged.
  kInSync,            // Both are the same.
  kLocalNewer,        // Something is to be uploaded.
  kLandedUnnoticed,   // The head is a commit of this work directory, which has yet to be noted.
  kDeletedUnnoticed,  // The same, and it is the last one.
  kBehind,            // The head has to be downloaded.
  kParted,            // Another server went on, and so did this one: the local state is read only.
};

// `owned`: this work directory may write to the tenant.
Verdict reconcile(const LocalSide& local, const RemoteSide& remote, bool owned);

// Whether reconcile() needs the head read.
bool needs_head(const LocalSide& local, uint64_t remote_head_sequence);

// None where there is no timeline to speak of, or none that can be used.
std::optional<TimelineSyncState> state_after(Verdict verdict);

}  // namespace varve
