#include "storage_sync/remote_log.h"

#include "storage_sync/number_by_listing.h"
#include "storage_sync/object_seal.h"
#include "storage_sync/remote_listing.h"

namespace varve {
namespace {

// A commit whose number is taken: by whom?
Result<CommitResult> resolve_taken_number(const SyncContext& context, const NonceJournal& journal,
                                          const CommitRequest& request, const ObjectName& object,
                                          const CallOptions& options) {
  CommitResult result{.object = object};
  auto stamp = read_stamp(context.storage, object, options, &result.head);
  if (stamp.failed_with(ErrorCode::kNotFound)) {
    result.outcome = CommitOutcome::kFenced;
    return result;
  }
  if (!stamp.ok()) return stamp.error();
  result.stamp = *stamp;
  if (stamp->nonce == request.nonce) {
    result.outcome = CommitOutcome::kCommitted;
  } else if (journal.contains(stamp->nonce)) {
    result.outcome = CommitOutcome::kAdopted;
  } else {
    result.outcome = CommitOutcome::kFenced;
  }
  return result;
}

// Whether another writer may have taken the number and had it collected since the head was seen.
bool head_is_stale(const SyncContext& context, const std::optional<BootTime>& head_seen,
                   BootTime now) {
  return !head_seen || now - *head_seen > context.options.grace_period / 2;
}

// After a commit that went through: is it the head of its log?
Result<> check_still_head(const SyncContext& context, CommitResult& result, const LogName& log,
                          const CallOptions& options) {
  VARVE_ASSIGN(const RemoteListing listing, list_remote(context.storage, log.prefix(), options));
  const ListedLog* listed = listing.find(log);
  if (listed == nullptr || listed->head_sequence() < result.head.sequence) {
    return make_error(ErrorCode::kCorrupted, "the object is not listed although it was stored");
  }
  if (listed->head_sequence() == result.head.sequence) return {};
  result.outcome = CommitOutcome::kFenced;
  result.stamp.reset();
  auto stamp = read_stamp(context.storage, listed->archives.back().name, options);
  if (stamp.ok()) result.stamp = *stamp;
  return {};
}

Result<CommitResult> take_number_if_absent(const SyncContext& context, const NonceJournal& journal,
                                           const CommitRequest& request, const ObjectName& object,
                                           ByteView body, const CallOptions& options) {
  CommitResult result{.head = {.sequence = object.sequence}, .object = object};
  const BootTime sent_at = context.clock.boot_time();
  auto put = context.storage.put(object.key(), body, PutCondition::kIfAbsent, options);
  if (put.failed_with(ErrorCode::kConflict)) {
    VARVE_ASSIGN(result, resolve_taken_number(context, journal, request, object, options));
  } else {
    VARVE_TRY(put);
  }
  if (result.outcome == CommitOutcome::kFenced) return result;
  result.head_seen = sent_at;
  if (head_is_stale(context, request.head_seen, context.clock.boot_time())) {
    VARVE_TRY(check_still_head(context, result, request.log, options));
  }
  return result;
}

}  // namespace

Result<CommitStamp> read_stamp(RemoteStorage& storage, const ObjectName& archive,
                               const CallOptions& options, LogHead* head) {
  const auto give = [&](const ObjectTail& tail, const CommitStamp& stamp) {
    if (head != nullptr) *head = {archive.sequence, tail.trailer.checksum()};
    return stamp;
  };
  if (archive.log.is_tenant_log()) {
    VARVE_ASSIGN(const auto commit, read_tenant_commit(storage, archive, options));
    return give(commit.tail, commit.manifest.stamp);
  }
  VARVE_ASSIGN(const auto commit, read_timeline_archive(storage, archive, options));
  return give(commit.tail, commit.stamp());
}

ObjectName commit_archive(const RemoteStorage& storage, const LogName& log, uint64_t sequence,
                          const Nonce& nonce) {
  return storage.traits().conditional_put ? ObjectName::archive(log, sequence)
                                          : ObjectName::archive(log, sequence, nonce);
}

Result<CommitResult> commit(const SyncContext& context, NonceJournal& journal,
                            const CommitRequest& request, const CallOptions& options) {
  const ObjectName object =
      commit_archive(context.storage, request.log, request.head.sequence + 1, request.nonce);
  const CommitStamp stamp{.sequence = object.sequence,
                          .writer = request.writer,
                          .nonce = request.nonce,
                          .predecessor_checksum = request.head.checksum,
                          .created_at = context.clock.now(),
                          .writer_version = VARVE_VERSION};
  VARVE_ASSIGN(const Bytes manifest, request.encode_manifest(stamp));
  VARVE_ASSIGN(const ObjectSeal seal, seal_object(object.kind, request.content.size(), manifest,
                                                  context.options.compression_level));
  Bytes body;
  body.reserve(request.content.size() + seal.bytes.size());
  body.insert(body.end(), request.content.begin(), request.content.end());
  body.insert(body.end(), seal.bytes.begin(), seal.bytes.end());

  VARVE_TRY(journal.add(request.head.sequence, request.nonce));
  const auto take_number = [&]() -> Result<CommitResult> {
    if (!context.storage.traits().conditional_put) {
      return take_number_by_listing(context, journal, object, body, options);
    }
    return take_number_if_absent(context, journal, request, object, body, options);
  };
  VARVE_ASSIGN(CommitResult result, take_number().context(fmt::format("commit {}", object.key())));
  if (result.outcome == CommitOutcome::kCommitted) {
    result.head = {object.sequence, seal.checksum};
    result.stamp = stamp;
  }
  return result;
}

}  // namespace varve
