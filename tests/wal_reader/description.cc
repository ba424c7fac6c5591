#include "description.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace varve {
namespace {

using namespace wal15;

// timestamptz_to_str in UTC.
std::string text_of(Timestamp time) {
  constexpr int64_t kMicrosPerSecond = 1'000'000;
  return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:06} UTC",
                     fmt::gmtime(static_cast<std::time_t>(time.micros / kMicrosPerSecond)),
                     time.micros % kMicrosPerSecond);
}

std::string on_or_off(bool on) {
  return on ? "on" : "off";
}

template <typename Entry>
std::string list_of(std::string_view title, const EntryList<Entry>& entries) {
  if (entries.empty()) return {};
  std::string text = fmt::format("; {}:", title);
  for (const Entry& entry : entries) {
    if constexpr (std::is_same_v<Entry, RelationTag>) {
      text += " " + RelationForkTag{.relation = entry, .fork = RelationFork::kMain}.path();
    } else if constexpr (std::is_same_v<Entry, StatisticsItem>) {
      text += fmt::format(" {}/{}/{}", entry.kind, entry.database, entry.object);
    } else {
      text += fmt::format(" {}", entry);
    }
  }
  return text;
}

std::string text_of(const EntryList<Invalidation>& invalidations) {
  if (invalidations.empty()) return {};
  std::string text = "; inval msgs:";
  for (const Invalidation& invalidation : invalidations) {
    const auto word = [&](size_t offset) {
      return load_little<uint32_t>(&invalidation.bytes[offset]);
    };
    switch (invalidation.kind()) {
      case -1:
        text += fmt::format(" catalog {}", word(8));
        break;
      case -2:
        text += fmt::format(" relcache {}", word(8));
        break;
      case -3:
        text += " smgr";
        break;
      case -4:
        text += fmt::format(" relmap db {}", word(4));
        break;
      case -5:
        text += fmt::format(" snapshot {}", word(8));
        break;
      default:
        text += fmt::format(" catcache {}", invalidation.kind());
    }
  }
  return text;
}

std::string initial_file(bool invalid, uint32_t database, uint32_t tablespace) {
  return invalid ? fmt::format("; relcache init file inval dbid {} tsid {}", database, tablespace)
                 : "";
}

std::string text_of_origin(uint16_t node, const TransactionOrigin& origin) {
  return fmt::format("; origin: node {}, lsn {}, at {}", node, origin.lsn, text_of(origin.time));
}

// Overloads for every kind of record.
struct Describe {
  uint16_t node;

  std::string operator()(const ReferencedBlocksOnly&) const { return {}; }
  template <typename... Kinds>
  std::string operator()(const std::variant<Kinds...>& payload) const {
    return std::visit(*this, payload);
  }

  std::string operator()(const Checkpoint& record) const {
    const CheckpointRecord& c = record.checkpoint;
    return fmt::format(
        "redo {}; tli {}; prev tli {}; fpw {}; xid {}:{}; oid {}; multi {}; offset {}; oldest xid "
        "{} in DB {}; oldest multi {} in DB {}; oldest/newest commit timestamp xid: {}/{}; oldest "
        "running xid {}; {}",
        c.redo, c.timeline, c.previous_timeline, c.full_page_writes, c.next_transaction >> 32,
        c.next_transaction & UINT32_MAX, c.next_oid, c.next_multixact, c.next_multixact_offset,
        c.oldest_transaction, c.oldest_transaction_database, c.oldest_multixact,
        c.oldest_multixact_database, c.oldest_commit_timestamp_transaction,
        c.newest_commit_timestamp_transaction, c.oldest_active_transaction,
        record.kind == Checkpoint::Kind::kShutdown ? "shutdown" : "online");
  }
  std::string operator()(const NextOid& record) const { return fmt::format("{}", record.oid); }
  std::string operator()(const SegmentSwitch&) const { return {}; }
  std::string operator()(const NoOperation&) const { return {}; }
  std::string operator()(const BackupEnd& record) const { return record.start.to_string(); }
  std::string operator()(const ParameterChange& record) const {
    const ServerSettings& s = record.settings;
    return fmt::format(
        "max_connections={} max_worker_processes={} max_wal_senders={} max_prepared_xacts={} "
        "max_locks_per_xact={} wal_level={} wal_log_hints={} track_commit_timestamp={}",
        s.max_connections, s.max_worker_processes, s.max_wal_senders, s.max_prepared_transactions,
        s.max_locks_per_transaction, name(s.wal_level), on_or_off(s.wal_log_hints),
        on_or_off(s.track_commit_timestamp));
  }
  std::string operator()(const RestorePoint& record) const { return std::string(record.name); }
  std::string operator()(const FullPageWritesChange& record) const {
    return fmt::format("{}", record.full_page_writes);
  }
  std::string operator()(const EndOfRecovery& record) const {
    return fmt::format("tli {}; prev tli {}; time {}", record.timeline, record.previous_timeline,
                       text_of(record.time));
  }
  std::string operator()(const PageImages&) const { return {}; }
  std::string operator()(const OverwrittenRecord& record) const {
    return fmt::format("lsn {}; time {}", record.overwritten, text_of(record.time));
  }

  std::string operator()(const TransactionEnd& record) const {
    constexpr uint32_t kUpdateRelationCacheFile = 1U << 30;
    constexpr uint32_t kApplyFeedback = 1U << 29;
    constexpr uint32_t kForceSync = 1U << 31;
    const bool committed = record.outcome == TransactionEnd::Outcome::kCommitted;
    const DatabaseTag database = record.database.value_or(DatabaseTag{});
    std::string text = record.was_prepared ? fmt::format("{}: ", record.transaction) : "";
    text += text_of(record.time);
    text += list_of("rels", record.dropped_relations);
    text += list_of("subxacts", record.subtransactions);
    const std::string origin = record.origin ? text_of_origin(node, *record.origin) : "";
    if (!committed) text += origin;
    text += list_of("dropped stats", record.dropped_statistics);
    if (!record.invalidations.empty()) {
      text += initial_file((record.flags & kUpdateRelationCacheFile) != 0, database.database,
                           database.tablespace);
    }
    text += text_of(record.invalidations);
    if ((record.flags & kApplyFeedback) != 0) text += "; apply_feedback";
    if ((record.flags & kForceSync) != 0) text += "; sync";
    if (committed) text += origin;
    return text;
  }
  std::string operator()(const TransactionPrepared& record) const {
    std::string text = fmt::format("gid {}: {}", record.gid, text_of(record.time));
    text += list_of("rels(commit)", record.dropped_on_commit);
    text += list_of("rels(abort)", record.dropped_on_abort);
    text += list_of("commit dropped stats", record.statistics_dropped_on_commit);
    text += list_of("abort dropped stats", record.statistics_dropped_on_abort);
    text += list_of("subxacts", record.subtransactions);
    text += initial_file(record.invalidates_relation_cache_file, record.database, 0);
    text += text_of(record.invalidations);
    if (node != 0) text += text_of_origin(node, record.origin);
    return text;
  }
  std::string operator()(const SubtransactionAssignment& record) const {
    std::string text = fmt::format("xtop {}: subxacts:", record.top_level_transaction);
    for (const uint32_t transaction : record.subtransactions) {
      text += fmt::format(" {}", transaction);
    }
    return text;
  }
  std::string operator()(const TransactionInvalidations& record) const {
    return text_of(record.invalidations);
  }

  std::string operator()(const RelationCreated& record) const { return record.fork.path(); }
  std::string operator()(const RelationTruncated& record) const {
    return fmt::format(
        "{} to {} blocks flags {}",
        RelationForkTag{.relation = record.relation, .fork = RelationFork::kMain}.path(),
        record.block,
        (record.main ? 1 : 0) + (record.visibility_map ? 2 : 0) + (record.free_space_map ? 4 : 0));
  }

  std::string operator()(const DatabaseCopied& record) const {
    return fmt::format("copy dir {}/{} to {}/{}", record.source.tablespace, record.source.database,
                       record.directory.tablespace, record.directory.database);
  }
  std::string operator()(const DatabaseCreated& record) const {
    return fmt::format("create dir {}/{}", record.directory.tablespace, record.directory.database);
  }
  std::string operator()(const DatabaseDropped& record) const {
    std::string text = "dir";
    for (const uint32_t tablespace : record.tablespaces) {
      text += fmt::format(" {}/{}", tablespace, record.database);
    }
    return text;
  }
  std::string operator()(const TablespaceCreated& record) const {
    return fmt::format("{} \"{}\"", record.tablespace, record.path);
  }
  std::string operator()(const TablespaceDropped& record) const {
    return fmt::format("{}", record.tablespace);
  }
  std::string operator()(const RelationMapUpdate& record) const {
    return fmt::format("database {} tablespace {} size {}", record.directory.database,
                       record.directory.tablespace, record.file.size());
  }

  std::string operator()(const SlruPageZeroed& record) const {
    // Only CLOG names what it counts.
    return fmt::format("{}{}", record.slru == Slru::kTransactionStatus ? "page " : "", record.page);
  }
  std::string operator()(const TransactionStatusTruncated& record) const {
    return fmt::format("page {}; oldestXact {}", record.page, record.oldest_transaction);
  }
  std::string operator()(const CommitTimestampsTruncated& record) const {
    return fmt::format("pageno {}, oldestXid {}", record.page, record.oldest_transaction);
  }
  std::string operator()(const MultixactCreated& record) const {
    constexpr std::array kStatus = {"(keysh)",  "(sh)",       "(fornokeyupd)",
                                    "(forupd)", "(nokeyupd)", "(upd)"};
    std::string text = fmt::format("{} offset {} nmembers {}:", record.multixact, record.offset,
                                   record.members.size());
    for (const MultixactMember& member : record.members) {
      text += fmt::format(" {} {}", member.transaction,
                          member.status < kStatus.size() ? kStatus[member.status] : "(unk)");
    }
    return text;
  }
  std::string operator()(const MultixactsTruncated& record) const {
    return fmt::format("offsets [{}, {}), members [{}, {})", record.start_multixact,
                       record.end_multixact, record.start_member, record.end_member);
  }

  std::string operator()(const StandbyLocks& record) const {
    std::string text;
    for (const StandbyLock& lock : record.locks) {
      text += fmt::format("xid {} db {} rel {} ", lock.transaction, lock.database, lock.relation);
    }
    return text;
  }
  std::string operator()(const RunningTransactions& record) const {
    std::string text =
        fmt::format("nextXid {} latestCompletedXid {} oldestRunningXid {}", record.next_transaction,
                    record.latest_completed, record.oldest_running);
    if (!record.transactions.empty()) {
      text += list_of(fmt::format("{} xacts", record.transactions.size()), record.transactions);
    }
    if (record.overflowed) text += "; subxid ovf";
    return text;
  }
  std::string operator()(const StandbyInvalidations& record) const {
    return initial_file(record.invalidates_relation_cache_file, record.database.database,
                        record.database.tablespace) +
           text_of(record.invalidations);
  }

  std::string operator()(const HeapChange&) const { return {}; }
  std::string operator()(const VisibilityMapSet& record) const {
    return fmt::format("cutoff xid {} flags 0x{:02X}", record.cutoff_transaction, record.flags);
  }
  std::string operator()(const NewCommandId& record) const {
    return fmt::format("rel {}/{}/{}; tid {}/{}; cmin: {}, cmax: {}, combo: {}",
                       record.relation.directory.tablespace, record.relation.directory.database,
                       record.relation.relation, record.block, record.offset_number, record.minimum,
                       record.maximum, record.combined);
  }
  std::string operator()(const LogicalRewrite&) const { return {}; }

  std::string operator()(const LogicalMessage& record) const {
    std::string text = fmt::format("{}, prefix \"{}\"; payload ({} bytes):",
                                   record.transactional ? "transactional" : "non-transactional",
                                   record.prefix, record.message.size());
    for (const uint8_t byte : record.message) text += fmt::format(" {:02X}", byte);
    return text;
  }
  std::string operator()(const ReplicationOriginSet& record) const {
    return fmt::format("set {}; lsn {}; force: {}", record.node, record.remote_lsn,
                       record.force ? 1 : 0);
  }
  std::string operator()(const ReplicationOriginDropped& record) const {
    return fmt::format("drop {}", record.node);
  }
  std::string operator()(const SequenceUpdate& record) const {
    return fmt::format("rel {}/{}/{}", record.relation.directory.tablespace,
                       record.relation.directory.database, record.relation.relation);
  }
};

}  // namespace

std::string describe(const wal15::Payload& payload, uint16_t node) {
  return std::visit(Describe{node}, payload);
}

}  // namespace varve
