#include "storage_sync/number_by_listing.h"

#include <algorithm>

#include "storage_sync/remote_listing.h"

namespace varve {
namespace {

// Who it was is good to know; that somebody was is certain already.
CommitResult fenced_by(const SyncContext& context, const ObjectName& archive,
                       const CallOptions& options) {
  CommitResult result{.outcome = CommitOutcome::kFenced};
  auto stamp = read_stamp(context.storage, archive, options);
  if (stamp.ok()) result.stamp = *std::move(stamp);
  return result;
}

// None when nobody has the number.
Result<std::optional<CommitResult>> who_has_number(const SyncContext& context,
                                                   const NonceJournal& journal,
                                                   const ObjectName& archive,
                                                   const CallOptions& options) {
  CommitResult result{.head_seen = context.clock.boot_time()};
  VARVE_ASSIGN(const RemoteListing listing,
               list_remote(context.storage, archive.log.prefix(), options));
  const ListedLog* log = listing.find(archive.log);
  if (log == nullptr) return std::optional<CommitResult>();
  if (log->head_sequence() > archive.sequence) {
    return fenced_by(context, log->archives.back().name, options);
  }
  const ListedObject* first = log->find(archive.sequence);
  if (first == nullptr) return std::optional<CommitResult>();
  const auto is_own = [&](const ListedObject& object) {
    return journal.contains(object.name.nonce);
  };
  if (!is_own(*first)) return fenced_by(context, first->name, options);
  const auto tied = std::ranges::find_if(log->rivals, [&](const ListedObject& rival) {
    return rival.name.sequence == archive.sequence && !is_own(rival) &&
           rival.last_modified == first->last_modified;
  });
  if (tied != log->rivals.end()) return fenced_by(context, tied->name, options);

  result.object = first->name;
  if (first->name != archive) {
    result.outcome = CommitOutcome::kAdopted;
    VARVE_ASSIGN(result.stamp, read_stamp(context.storage, first->name, options, &result.head));
  }
  return result;
}

}  // namespace

Result<CommitResult> take_number_by_listing(const SyncContext& context, const NonceJournal& journal,
                                            const ObjectName& archive, ByteView body,
                                            const CallOptions& options) {
  if (journal.size() > 1) {
    // One of the earlier attempts may have landed: no second archive for the same number then.
    VARVE_ASSIGN(auto known, who_has_number(context, journal, archive, options));
    if (known) return *std::move(known);
  }
  VARVE_TRY(context.storage.put(archive.key(), body, PutCondition::kNone, options));
  VARVE_ASSIGN(auto taken, who_has_number(context, journal, archive, options));
  if (taken) return *std::move(taken);
  return make_error(ErrorCode::kCorrupted, "the object is not listed although it was stored");
}

}  // namespace varve
