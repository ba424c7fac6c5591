// From records of the WAL to versions of keys.
//
// What a record changes shows at once, at the LSN where it ends. Blocks get the record itself, or
// the page that it carries; what redo of blocks does not cover (sizes, the visibility map, the
// transaction logs, relation maps, directories, prepared transactions, counters, times) gets its
// versions here. The value of a record is a StoredRecord; wal_redo.h applies it.
#pragma once

#include <map>
#include <optional>
#include <span>

#include "base/clock.h"
#include "ingest/wal/cluster_counters.h"
#include "ingest/wal/fork_sizes.h"
#include "ingest/wal/slru_segments.h"
#include "ingest/wal/version_batch.h"
#include "ingest/wal/wal_target.h"
#include "postgres/wal/v15/payload.h"

namespace varve {

struct WalIngesterOptions {
  // Bytes of values from which on a batch goes to the target.
  size_t batch_size = 256 << 10;
  // Up to here a record may refer to blocks that are not there: the files of a base backup are of
  // different moments, and what is missing was removed later. Beyond, that is damage.
  Lsn consistent_from;
};

// Not thread-safe. After an error of ingest() no record is taken any more, and flush() brings those
// before the one that failed into the target.
class WalIngester {
 public:
  // For records from `last` on, where the target ends. Corrupted when the target is not a cluster.
  // The target outlives it.
  static Result<WalIngester> open(WalTarget& target, Lsn last, WalIngesterOptions options);

  // A record of a WalStreamDecoder, the one after the last. Its bytes are not needed afterwards.
  // InvalidArgument, naming the LSN, for one that this program cannot follow: of an unknown
  // resource manager, or of the end of a recovery. Corrupted for one that does not fit what was
  // there.
  Result<> ingest(const WalRecord& record);
  // What was taken so far shows in the target.
  Result<> flush();

  // The end of the last record that was taken.
  Lsn last_record() const { return end_; }

 private:
  WalIngester(WalTarget& target, WalIngesterOptions options, Lsn last,
              const CheckpointRecord& checkpoint, SlruSegments segments)
      : target_(target),
        options_(options),
        counters_(checkpoint),
        segments_(std::move(segments)),
        start_(last),
        end_(last) {}

  // --- one version of what the record changes ---

  void put(const Key& key, ValueKind kind, ByteView value);
  void put_image(const Key& key, ByteView image);
  void put_record(const Key& key) { put(key, ValueKind::kRecord, record_bytes()); }
  void put_tombstone(const Key& key) { put(key, ValueKind::kTombstone, {}); }
  // As it is stored under keys that need none of its images: once, however many there are.
  ByteView record_bytes();
  ByteView store_record(ByteView bytes);

  Result<std::optional<uint32_t>> size_of(const RelationForkTag& fork);
  void set_size(const RelationForkTag& fork, uint32_t blocks);
  // So that `block`, at or behind its end, is in it. What lies between them was never written.
  void extend(const RelationForkTag& fork, uint32_t size, uint32_t block);
  Result<> drop(const RelationTag& relation);

  // --- the parts of a record ---

  Result<> take_record(const WalRecord& record);
  Result<> take_payload(const wal15::Payload& payload);
  Result<> take_blocks(bool hints_only);
  Result<> take_block(const BlockReference& block);
  Result<> clear_visibility(std::span<const wal15::VisibilityMapClear> clears);
  void extend_slru(Slru slru, uint32_t page);
  void put_slru_record(Slru slru, uint32_t page);
  void remove_segments(Slru slru, std::span<const uint32_t> segments);
  void note_time(Timestamp time);

  Result<> take(const wal15::ReferencedBlocksOnly&) { return {}; }
  Result<> take(const wal15::HeapPayload& payload);
  Result<> take(const wal15::XlogPayload& payload);
  Result<> take(const wal15::TransactionPayload& payload);
  Result<> take(const wal15::StoragePayload& payload);
  Result<> take(const wal15::DatabasePayload& payload);
  Result<> take(const wal15::TablespacePayload& payload);
  Result<> take(const wal15::RelationMapUpdate& update);
  Result<> take(const wal15::SlruPayload& payload);
  Result<> take(const wal15::StandbyPayload& payload);
  // Of subscriptions and logical decoding, which a restored cluster does not continue.
  Result<> take(const wal15::LogicalMessage&) { return {}; }
  Result<> take(const wal15::ReplicationOriginPayload&) { return {}; }
  // Its block says all.
  Result<> take(const wal15::SequenceUpdate&) { return {}; }

  Result<> take(const wal15::TransactionEnd& end);
  Result<> take(const wal15::TransactionPrepared& prepared);
  Result<> take(const wal15::RelationTruncated& truncated);
  Result<> take(const wal15::DatabaseCopied& copied);
  Result<> take(const wal15::DatabaseDropped& dropped);
  Result<> take(const wal15::MultixactCreated& created);
  Result<> take(const wal15::MultixactsTruncated& truncated);

  WalTarget& target_;
  const WalIngesterOptions options_;
  ClusterCounters counters_;
  SlruSegments segments_;
  ForkSizes sizes_;
  bool tracks_commit_timestamps_ = false;
  bool logs_hint_bits_ = false;
  // The latest time of a commit so far.
  Timestamp latest_commit_{INT64_MIN};

  VersionBatch batch_;
  // Of the last record in the batch.
  Lsn start_;
  Lsn end_;
  // In the target.
  Lsn flushed_;
  // Half of a record may have changed what is kept here.
  bool failed_ = false;

  // The record that is being taken.
  DecodedRecord record_;
  ByteView kept_record_;
  // The sizes that it changes.
  std::map<RelationForkTag, uint32_t> new_sizes_;
  // So that nothing is allocated for each.
  std::vector<uint32_t> slru_pages_;
};

}  // namespace varve
