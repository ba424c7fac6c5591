#include "postgres/wal/v15/transaction.h"

#include "base/checksum.h"
#include "postgres/wal/payload_reader.h"

namespace varve::wal15 {
namespace {

// src/include/access/xact.h: XLOG_XACT_* and XACT_XINFO_*.
enum RecordType : uint8_t {
  kCommit = 0x00,
  kPrepare = 0x10,
  kAbort = 0x20,
  kCommitPrepared = 0x30,
  kAbortPrepared = 0x40,
  kAssignment = 0x50,
  kInvalidations = 0x60,
};
constexpr uint8_t kTypeMask = 0x70;
constexpr uint8_t kHasFlags = 0x80;

enum Flag : uint32_t {
  kHasDatabase = 1U << 0,
  kHasSubtransactions = 1U << 1,
  kHasRelations = 1U << 2,
  kHasInvalidations = 1U << 3,
  kHasTwoPhase = 1U << 4,
  kHasOrigin = 1U << 5,
  kHasExclusiveLocks = 1U << 6,
  kHasGid = 1U << 7,
  kHasDroppedStatistics = 1U << 8,
  kCompletionFlags = 7U << 29,
};
constexpr uint32_t kKnownFlags =
    kHasDatabase | kHasSubtransactions | kHasRelations | kHasInvalidations | kHasTwoPhase |
    kHasOrigin | kHasExclusiveLocks | kHasGid | kHasDroppedStatistics | kCompletionFlags;

constexpr size_t kMaximumGidSize = 200;          // GIDSIZE, the zero byte included
constexpr uint32_t kTwoPhaseMagic = 0x57F94534;  // TWOPHASE_MAGIC of transam/twophase.c
constexpr size_t kCrcSize = 4;

TransactionEnd take_end(PayloadReader& reader, const WalRecordHeader& header) {
  const uint8_t type = header.info & kTypeMask;
  TransactionEnd end;
  end.outcome = type == kCommit || type == kCommitPrepared ? TransactionEnd::Outcome::kCommitted
                                                           : TransactionEnd::Outcome::kAborted;
  end.transaction = header.transaction;
  end.was_prepared = type == kCommitPrepared || type == kAbortPrepared;
  end.time = reader.take_time();
  if ((header.info & kHasFlags) != 0) end.flags = reader.take<uint32_t>();
  // What an unknown flag announces would be taken for something else.
  if ((end.flags & ~kKnownFlags) != 0) reader.fail();
  if ((end.flags & kHasDatabase) != 0) {
    DatabaseTag& database = end.database.emplace();
    database.database = reader.take<uint32_t>();
    database.tablespace = reader.take<uint32_t>();
  }
  if ((end.flags & kHasSubtransactions) != 0) {
    end.subtransactions = reader.take_list<uint32_t>(reader.take<uint32_t>());
  }
  if ((end.flags & kHasRelations) != 0) {
    end.dropped_relations = reader.take_list<RelationTag>(reader.take<uint32_t>());
  }
  if ((end.flags & kHasDroppedStatistics) != 0) {
    end.dropped_statistics = reader.take_list<StatisticsItem>(reader.take<uint32_t>());
  }
  if ((end.flags & kHasInvalidations) != 0) {
    if (end.outcome == TransactionEnd::Outcome::kAborted) reader.fail();
    end.invalidations = reader.take_list<Invalidation>(reader.take<uint32_t>());
  }
  if (((end.flags & kHasTwoPhase) != 0) != end.was_prepared) reader.fail();
  if ((end.flags & kHasTwoPhase) != 0) {
    end.transaction = reader.take<uint32_t>();
    if ((end.flags & kHasGid) != 0) end.gid = reader.take_text();
    if (end.gid.size() >= kMaximumGidSize) reader.fail();
  }
  if ((end.flags & kHasOrigin) != 0) {
    TransactionOrigin& origin = end.origin.emplace();
    origin.lsn = reader.take_lsn();
    origin.time = reader.take_time();
  }
  return end;
}

// A list in a two-phase file: what lies before it is aligned, as it is itself.
template <typename Entry>
EntryList<Entry> take_aligned_list(PayloadReader& reader, uint32_t count) {
  const auto list = reader.take_list<Entry>(count);
  reader.skip_alignment();
  return list;
}

// xl_xact_prepare and what follows it.
TransactionPrepared take_prepared(PayloadReader& reader, ByteView state) {
  TransactionPrepared prepared;
  prepared.state = state;
  if (reader.take<uint32_t>() != kTwoPhaseMagic) reader.fail();
  if (reader.take<uint32_t>() != state.size() + kCrcSize) reader.fail();
  prepared.transaction = reader.take<uint32_t>();
  prepared.database = reader.take<uint32_t>();
  prepared.time = reader.take_time();
  prepared.owner = reader.take<uint32_t>();
  const auto subtransactions = reader.take<uint32_t>();
  const auto commit_relations = reader.take<uint32_t>();
  const auto abort_relations = reader.take<uint32_t>();
  const auto commit_statistics = reader.take<uint32_t>();
  const auto abort_statistics = reader.take<uint32_t>();
  const auto invalidations = reader.take<uint32_t>();
  prepared.invalidates_relation_cache_file = reader.take_bool();
  reader.take<uint8_t>();  // Padding.
  const auto gid_size = reader.take<uint16_t>();
  prepared.origin.lsn = reader.take_lsn();
  prepared.origin.time = reader.take_time();

  const ByteView gid = reader.take_bytes(gid_size);
  if (gid_size == 0 || gid_size > kMaximumGidSize || gid.empty() || gid.back() != 0) reader.fail();
  prepared.gid = as_text(gid.first(gid.empty() ? 0 : gid.size() - 1));
  reader.skip_alignment();
  prepared.subtransactions = take_aligned_list<uint32_t>(reader, subtransactions);
  prepared.dropped_on_commit = take_aligned_list<RelationTag>(reader, commit_relations);
  prepared.dropped_on_abort = take_aligned_list<RelationTag>(reader, abort_relations);
  prepared.statistics_dropped_on_commit =
      take_aligned_list<StatisticsItem>(reader, commit_statistics);
  prepared.statistics_dropped_on_abort =
      take_aligned_list<StatisticsItem>(reader, abort_statistics);
  prepared.invalidations = take_aligned_list<Invalidation>(reader, invalidations);
  // Locks and the like, of use only to a server that starts with the file.
  reader.take_rest();
  return prepared;
}

}  // namespace

Bytes TransactionPrepared::two_phase_file() const {
  ByteWriter file;
  file.put_raw(state);
  file.put(crc32c(state));
  return std::move(file).take();
}

Result<TransactionPayload> parse_transaction(const DecodedRecord& record) {
  PayloadReader reader(record);
  TransactionPayload payload;
  switch (record.header().info & kTypeMask) {
    case kCommit:
    case kAbort:
    case kCommitPrepared:
    case kAbortPrepared:
      payload = take_end(reader, record.header());
      break;
    case kPrepare:
      payload = take_prepared(reader, record.main_data());
      break;
    case kAssignment: {
      SubtransactionAssignment assignment{.top_level_transaction = reader.take<uint32_t>()};
      assignment.subtransactions = reader.take_list<uint32_t>(reader.take<uint32_t>());
      payload = assignment;
      break;
    }
    case kInvalidations:
      payload = TransactionInvalidations{reader.take_list<Invalidation>(reader.take<uint32_t>())};
      break;
    default:
      reader.fail();
  }
  VARVE_TRY(reader.finish("transaction"));
  return payload;
}

}  // namespace varve::wal15
