// The remote log: one object per commit, numbered, created only if absent; the highest number is
// the truth.
//
// What a crash or a lost answer leaves behind, and why nothing is lost:
//   before the PUT      nothing; the nonce in the journal never comes up again
//   during the PUT      nothing, or the whole commit without anyone knowing: the next attempt finds
//   the number
//                       taken, reads the nonce there, recognises it by the journal and adopts the
//                       commit
//   after the PUT       as before, until the local files note the new head
// If the number is taken by a nonce that is not in the journal, another server has written to this
// log: it owns the tenant now, and this one must never write to it again.
#pragma once

#include <optional>

#include "storage_sync/manifest.h"
#include "storage_sync/nonce_journal.h"
#include "storage_sync/object_reader.h"
#include "storage_sync/sync_context.h"

namespace varve {

// The newest commit of a log, as far as it is known here.
struct LogHead {
  uint64_t sequence = 0;  // 0: the log is empty.
  uint64_t checksum = 0;  // ObjectTrailer::checksum.
  bool operator==(const LogHead&) const = default;
};

struct CommitRequest {
  LogName log;
  LogHead head;
  // When the storage last showed that nothing follows `head`.
  std::optional<BootTime> head_seen;
  WriterId writer;
  Nonce nonce;
  // The object from its header on, without manifest and trailer.
  ByteView content;
  // Gives the encoded manifest for a stamp.
  std::function<Result<Bytes>(const CommitStamp&)> encode_manifest;
};

enum class CommitOutcome {
  kCommitted,  // `head` is the commit that was asked for.
  kAdopted,    // The number was taken by an earlier attempt of this server: `head` is that one, and
             // what was asked for is not committed. Read it, see what is still to be done, and ask
             // again.
  kFenced,  // The number was taken by another writer.
};

struct CommitResult {
  CommitOutcome outcome = CommitOutcome::kCommitted;
  LogHead head;
  // The archive of `head`.
  ObjectName object;
  // When `head` was known to be the newest, if it was this call that found out.
  std::optional<BootTime> head_seen;
  // Of the commit that has the number; none when it was collected meanwhile.
  std::optional<CommitStamp> stamp;
};

// Creates number head.sequence + 1. Where the head was not seen for more than half the grace
// period, a rival may have taken the number, gone on, and had it collected: then a LIST must show
// nothing higher before the commit is acknowledged. An error other than the outcomes above says
// that it is unknown whether the commit landed; asking again, with a new nonce, finds out.
Result<CommitResult> commit(const SyncContext& context, NonceJournal& journal,
                            const CommitRequest& request, const CallOptions& options);

// The archive of a commit: where the storage cannot create it only if it is absent, its name bears
// the nonce.
ObjectName commit_archive(const RemoteStorage& storage, const LogName& log, uint64_t sequence,
                          const Nonce& nonce);

// The stamp in the manifest of any archive.
Result<CommitStamp> read_stamp(RemoteStorage& storage, const ObjectName& archive,
                               const CallOptions& options, LogHead* head = nullptr);

}  // namespace varve
