#include "postgres/wal/v15/payload.h"

#include <gtest/gtest.h>

#include "postgres/relation_map.h"
#include "postgres/test_support/golden_wal.h"
#include "postgres/test_support/wal_writer.h"
#include "postgres/two_phase_file.h"

namespace varve::wal15 {
namespace {

// A record, and its payload, which is a view of it.
class Parsed {
 public:
  explicit Parsed(const GoldenRecord& golden) : golden_(golden), result_(parse()) {}
  Parsed(const WalWriter::Kind& kind, ByteView parts)
      : Parsed(GoldenRecord{.start = Lsn{0x1000090},
                            .end = Lsn{0x1000100},
                            .bytes = WalWriter::make_record(kind, Lsn{0x1000028}, parts)}) {}

  const Result<Payload>& result() const { return result_; }
  const DecodedRecord& record() const { return *record_; }

  // The payload, which is of this family and kind; fails the test when it is not.
  template <typename Kind, typename Family>
  const Kind& as() const {
    static const Kind kNone{};
    if (!result_.ok()) {
      ADD_FAILURE() << result_.error().message();
      return kNone;
    }
    const auto* family = std::get_if<Family>(&*result_);
    const Kind* kind = nullptr;
    if constexpr (std::is_same_v<Kind, Family>) {
      kind = family;
    } else if (family != nullptr) {
      kind = std::get_if<Kind>(family);
    }
    if (kind == nullptr) ADD_FAILURE() << "another kind of payload";
    return kind == nullptr ? kNone : *kind;
  }

 private:
  Result<Payload> parse() {
    VARVE_TRY(record_->decode(golden_.record()));
    return parse_payload(*record_);
  }

  GoldenRecord golden_;
  std::unique_ptr<DecodedRecord> record_ = std::make_unique<DecodedRecord>();
  Result<Payload> result_;
};

template <typename Entry>
std::vector<Entry> all(const EntryList<Entry>& list) {
  return {list.begin(), list.end()};
}
RelationTag relation(uint32_t database, uint32_t number) {
  return {.directory = {.tablespace = 1663, .database = database}, .relation = number};
}

TEST(XlogPayload, Checkpoint) {
  const Parsed parsed(checkpoint_record());
  const auto& checkpoint = parsed.as<Checkpoint, XlogPayload>();
  EXPECT_EQ(checkpoint.kind, Checkpoint::Kind::kOnline);
  EXPECT_EQ(checkpoint.checkpoint.redo.to_string(), "0/1745848");
  EXPECT_EQ(checkpoint.checkpoint.next_transaction, 717U);
  EXPECT_EQ(checkpoint.checkpoint.next_oid, 20192U);
  EXPECT_EQ(checkpoint.checkpoint.oldest_active_transaction, 716U);
}

TEST(XlogPayload, SmallOnes) {
  EXPECT_EQ((Parsed(next_oid_record()).as<NextOid, XlogPayload>().oid), 18192U);
  (void)Parsed(switch_record()).as<SegmentSwitch, XlogPayload>();
  EXPECT_EQ((Parsed(backup_end_record()).as<BackupEnd, XlogPayload>().start.to_string()),
            "0/4000028");
  EXPECT_FALSE((Parsed(page_image_record()).as<PageImages, XlogPayload>().for_hint));
}

TEST(XlogPayload, ParameterChange) {
  const Parsed parsed(parameter_change_record());
  const ServerSettings& settings = parsed.as<ParameterChange, XlogPayload>().settings;
  EXPECT_EQ(settings.wal_level, WalLevel::kLogical);
  EXPECT_FALSE(settings.wal_log_hints);
  EXPECT_TRUE(settings.track_commit_timestamp);
  EXPECT_EQ(settings.max_connections, 100U);
  EXPECT_EQ(settings.max_worker_processes, 8U);
  EXPECT_EQ(settings.max_wal_senders, 10U);
  EXPECT_EQ(settings.max_prepared_transactions, 10U);
  EXPECT_EQ(settings.max_locks_per_transaction, 64U);
}

TEST(XlogPayload, RestorePoint) {
  const Parsed parsed(restore_point_record());
  const auto& point = parsed.as<RestorePoint, XlogPayload>();
  EXPECT_EQ(point.name, "here");
  EXPECT_EQ(point.time.to_string().substr(0, 17), "2026-11-22T13:43:");
}

// What a server writes only at the end of a recovery.
TEST(XlogPayload, EndOfRecoveryAndOverwrittenRecord) {
  ByteWriter end;
  end.put(uint64_t{1'000'000});
  end.put(uint32_t{3});
  end.put(uint32_t{2});
  const Parsed end_parsed({.resource_manager = 0, .info = 0x90}, WalWriter::main_data(end.view()));
  const auto& recovered = end_parsed.as<EndOfRecovery, XlogPayload>();
  EXPECT_EQ(recovered.time.to_string(), "2000-01-01T00:00:01.000000Z");
  EXPECT_EQ(recovered.timeline, 3U);
  EXPECT_EQ(recovered.previous_timeline, 2U);

  ByteWriter overwritten;
  overwritten.put(uint64_t{0x1001FF8});
  overwritten.put(uint64_t{0});
  const Parsed overwritten_parsed({.resource_manager = 0, .info = 0xD0},
                                  WalWriter::main_data(overwritten.view()));
  EXPECT_EQ((overwritten_parsed.as<OverwrittenRecord, XlogPayload>().overwritten.to_string()),
            "0/1001FF8");
}

TEST(TransactionPayload, Commit) {
  const Parsed parsed(commit_record());
  const auto& end = parsed.as<TransactionEnd, TransactionPayload>();
  EXPECT_EQ(end.outcome, TransactionEnd::Outcome::kCommitted);
  EXPECT_EQ(end.transaction, 927U);
  EXPECT_FALSE(end.was_prepared);
  EXPECT_EQ(end.time.to_string(), "2026-11-22T13:43:10.223774Z");
  EXPECT_EQ(all(end.dropped_relations),
            (std::vector{relation(16384, 16467), relation(16384, 16466), relation(16384, 16463)}));
  EXPECT_TRUE(end.subtransactions.empty());
  EXPECT_EQ(end.invalidations.size(), 11U);
  EXPECT_EQ(end.invalidations[0].kind(), 55);
  EXPECT_EQ(end.invalidations[10].kind(), -2);
  EXPECT_EQ(end.database, (DatabaseTag{.tablespace = 1663, .database = 16384}));
  EXPECT_FALSE(end.origin);
}

TEST(TransactionPayload, CommitOfAReplicatedTransaction) {
  const Parsed parsed(replicated_commit_record());
  const auto& end = parsed.as<TransactionEnd, TransactionPayload>();
  ASSERT_TRUE(end.origin);
  EXPECT_EQ(end.origin->lsn.to_string(), "0/ABCDEF");
  EXPECT_EQ(end.origin->time.to_string().substr(0, 17), "2026-11-22T13:43:");
}

TEST(TransactionPayload, Abort) {
  const Parsed parsed(abort_record());
  const auto& end = parsed.as<TransactionEnd, TransactionPayload>();
  EXPECT_EQ(end.outcome, TransactionEnd::Outcome::kAborted);
  EXPECT_EQ(end.transaction, 764U);
  EXPECT_EQ(all(end.dropped_relations), std::vector{relation(16384, 16445)});
  ASSERT_EQ(end.dropped_statistics.size(), 1U);
  EXPECT_EQ(end.dropped_statistics[0].object, 16445U);
}

TEST(TransactionPayload, PrepareGivesTheTwoPhaseFile) {
  const Parsed parsed(prepare_with_everything());
  const auto& prepared = parsed.as<TransactionPrepared, TransactionPayload>();
  EXPECT_EQ(prepared.transaction, 921U);
  EXPECT_EQ(prepared.database, 16384U);
  EXPECT_EQ(prepared.gid, "the second");
  EXPECT_EQ(prepared.time.to_string(), "2026-11-22T13:43:10.174165Z");
  EXPECT_TRUE(prepared.dropped_on_commit.empty());
  EXPECT_EQ(all(prepared.dropped_on_abort),
            (std::vector{relation(16384, 16461), relation(16384, 16458)}));
  EXPECT_EQ(prepared.statistics_dropped_on_abort.size(), 2U);
  EXPECT_TRUE(prepared.subtransactions.empty());
  EXPECT_EQ(prepared.invalidations.size(), 37U);
  EXPECT_TRUE(check_two_phase_file(prepared.two_phase_file(), 921).ok());
}

TEST(TransactionPayload, EndOfPreparedOnes) {
  const Parsed committed(commit_prepared_record());
  const auto& commit = committed.as<TransactionEnd, TransactionPayload>();
  EXPECT_EQ(commit.outcome, TransactionEnd::Outcome::kCommitted);
  EXPECT_TRUE(commit.was_prepared);
  EXPECT_EQ(commit.transaction, 922U);
  EXPECT_EQ(commit.gid, "the third");
  const Parsed aborted(abort_prepared_record());
  const auto& abort = aborted.as<TransactionEnd, TransactionPayload>();
  EXPECT_EQ(abort.outcome, TransactionEnd::Outcome::kAborted);
  EXPECT_TRUE(abort.was_prepared);
  EXPECT_EQ(abort.transaction, 921U);
  EXPECT_EQ(all(abort.dropped_relations),
            (std::vector{relation(16384, 16461), relation(16384, 16458)}));
}

TEST(TransactionPayload, AssignmentAndInvalidations) {
  const Parsed assigned(assignment_record());
  const auto& assignment = assigned.as<SubtransactionAssignment, TransactionPayload>();
  EXPECT_EQ(assignment.top_level_transaction, 768U);
  EXPECT_EQ(all(assignment.subtransactions), std::vector{769U});
  const Parsed invalidated(transaction_invalidations_record());
  const auto& invalidations =
      invalidated.as<TransactionInvalidations, TransactionPayload>().invalidations;
  ASSERT_EQ(invalidations.size(), 1U);
  EXPECT_EQ(invalidations[0].kind(), 21);
}

TEST(TransactionPayload, AFlagThatNobodyKnowsIsNotPassedOver) {
  ByteWriter commit;
  commit.put(uint64_t{0});
  commit.put(uint32_t{1U << 9});
  const Parsed parsed({.resource_manager = 1, .info = 0x80}, WalWriter::main_data(commit.view()));
  EXPECT_TRUE(parsed.result().failed_with(ErrorCode::kCorrupted));
}

TEST(TransactionPayload, TheEndOfAPreparedOneNamesIt) {
  ByteWriter commit;
  commit.put(uint64_t{0});
  EXPECT_TRUE(Parsed({.resource_manager = 1, .info = 0x00}, WalWriter::main_data(commit.view()))
                  .result()
                  .ok());
  EXPECT_TRUE(Parsed({.resource_manager = 1, .info = 0x30}, WalWriter::main_data(commit.view()))
                  .result()
                  .failed_with(ErrorCode::kCorrupted));
}

TEST(StoragePayload, CreateAndTruncate) {
  EXPECT_EQ(
      (Parsed(relation_created_record()).as<RelationCreated, StoragePayload>().fork.to_string()),
      "relation 1663/1/13391 main");
  const Parsed parsed(relation_truncated_record());
  const auto& truncated = parsed.as<RelationTruncated, StoragePayload>();
  EXPECT_EQ(truncated.relation, relation(16384, 16463));
  EXPECT_EQ(truncated.block, 1U);
  EXPECT_TRUE(truncated.main && truncated.visibility_map && truncated.free_space_map);
}

TEST(DatabasePayload, CopyCreateAndDrop) {
  const Parsed copied(database_copied_record());
  const auto& copy = copied.as<DatabaseCopied, DatabasePayload>();
  EXPECT_EQ(copy.source, (DatabaseTag{.tablespace = 1663, .database = 1}));
  EXPECT_EQ(copy.directory, (DatabaseTag{.tablespace = 1663, .database = 4}));
  EXPECT_EQ((Parsed(database_created_record()).as<DatabaseCreated, DatabasePayload>().directory),
            (DatabaseTag{.tablespace = 1663, .database = 16384}));
  const Parsed dropped(database_dropped_record());
  const auto& drop = dropped.as<DatabaseDropped, DatabasePayload>();
  EXPECT_EQ(drop.database, 16543U);
  EXPECT_EQ(all(drop.tablespaces), std::vector{16536U});
}

TEST(TablespacePayload, CreateAndDrop) {
  const Parsed parsed(tablespace_created_record());
  const auto& created = parsed.as<TablespaceCreated, TablespacePayload>();
  EXPECT_EQ(created.tablespace, 16536U);
  EXPECT_EQ(created.path, "");
  EXPECT_EQ(
      (Parsed(tablespace_dropped_record()).as<TablespaceDropped, TablespacePayload>().tablespace),
      16536U);
}

TEST(RelationMapPayload, IsAWholeMap) {
  const Parsed parsed(relation_map_record());
  const auto& update = parsed.as<RelationMapUpdate, RelationMapUpdate>();
  EXPECT_EQ(update.directory, (DatabaseTag{.tablespace = 1663, .database = 16384}));
  EXPECT_EQ(update.file.size(), kRelationMapSize);
  GoldenRecord damaged = relation_map_record();
  damaged.bytes[100] ^= 1;
  EXPECT_TRUE(Parsed(damaged).result().failed_with(ErrorCode::kCorrupted));
}

TEST(SlruPayload, PagesAreZeroed) {
  const Parsed clog(transaction_status_zeroed_record());
  EXPECT_EQ((clog.as<SlruPageZeroed, SlruPayload>().slru), Slru::kTransactionStatus);
  EXPECT_EQ((clog.as<SlruPageZeroed, SlruPayload>().page), 0U);
  const Parsed times(commit_timestamps_zeroed_record());
  EXPECT_EQ((times.as<SlruPageZeroed, SlruPayload>().slru), Slru::kCommitTimestamps);
  EXPECT_EQ((times.as<SlruPageZeroed, SlruPayload>().page), 1U);
  const Parsed members(multixact_members_zeroed_record());
  EXPECT_EQ((members.as<SlruPageZeroed, SlruPayload>().slru), Slru::kMultixactMembers);
}

TEST(SlruPayload, Multixact) {
  const Parsed parsed(multixact_created_record());
  const auto& created = parsed.as<MultixactCreated, SlruPayload>();
  EXPECT_EQ(created.multixact, 1U);
  EXPECT_EQ(created.offset, 1U);
  ASSERT_EQ(created.members.size(), 2U);
  EXPECT_EQ(created.members[0].transaction, 922U);
  EXPECT_EQ(created.members[0].status, 0U) << "MultiXactStatusForKeyShare";
  EXPECT_EQ(created.members[1].transaction, 923U);
  EXPECT_EQ(created.members[1].status, 1U) << "MultiXactStatusForShare";
}

TEST(StandbyPayload, LocksTransactionsAndInvalidations) {
  const Parsed locked(standby_lock_record());
  const auto& locks = locked.as<StandbyLocks, StandbyPayload>().locks;
  ASSERT_EQ(locks.size(), 1U);
  EXPECT_EQ(locks[0].transaction, 4U);
  EXPECT_EQ(locks[0].database, 1U);
  EXPECT_EQ(locks[0].relation, 1255U);
  const Parsed runs(running_transactions_record());
  const auto& running = runs.as<RunningTransactions, StandbyPayload>();
  EXPECT_EQ(running.next_transaction, 717U);
  EXPECT_EQ(running.latest_completed, 715U);
  EXPECT_EQ(running.oldest_running, 716U);
  EXPECT_EQ(all(running.transactions), std::vector{716U});
  EXPECT_FALSE(running.overflowed);
  const Parsed invalidated(standby_invalidations_record());
  EXPECT_EQ((invalidated.as<StandbyInvalidations, StandbyPayload>().invalidations.size()), 1U);
}

void expect_clear(const Parsed& parsed, uint32_t block, VisibilityMapClear::Bits bits) {
  const auto cleared = parsed.as<HeapChange, HeapPayload>().cleared();
  ASSERT_EQ(cleared.size(), 1U);
  EXPECT_EQ(cleared[0].relation, parsed.record().blocks()[0].fork.relation);
  EXPECT_EQ(cleared[0].heap_block, block);
  EXPECT_EQ(cleared[0].bits, bits);
}

TEST(HeapPayload, ClearsBitsOfTheVisibilityMap) {
  using enum VisibilityMapClear::Bits;
  expect_clear(Parsed(heap_insert_record()), 136, kAll);
  expect_clear(Parsed(heap_delete_record()), 0, kAll);
  expect_clear(Parsed(heap_hot_update_record()), 0, kAll);
  expect_clear(Parsed(heap_multi_insert_record()), 11, kAll);
  expect_clear(Parsed(heap_lock_record()), 0, kAllFrozen);
}

// Block reference 0 is the new page, 1 the old one, unless they are the same.
Parsed update(uint8_t flags, bool two_pages) {
  ByteWriter parts;
  const auto put_block = [&](uint8_t id, uint8_t block_flags, uint32_t block) {
    parts.put(id);
    parts.put(block_flags);
    parts.put(uint16_t{0});
    if (id == 0) {
      parts.put(uint32_t{1663});
      parts.put(uint32_t{5});
      parts.put(uint32_t{16384});
    }
    parts.put(block);
  };
  put_block(0, 0, 40'000);
  if (two_pages) put_block(1, 0x80, 7);
  parts.put(uint8_t{255});
  parts.put(uint8_t{14});
  parts.put_zeros(7);
  parts.put(flags);
  parts.put_zeros(6);
  return Parsed({.resource_manager = 10, .info = 0x20}, parts.view());
}

TEST(HeapPayload, AnUpdateClearsThoseOfTheOldAndTheNewPage) {
  const auto blocks = [](const Parsed& parsed) {
    std::vector<uint32_t> cleared;
    for (const auto& clear : parsed.as<HeapChange, HeapPayload>().cleared()) {
      cleared.push_back(clear.heap_block);
    }
    return cleared;
  };
  EXPECT_EQ(blocks(update(0x00, true)), std::vector<uint32_t>{});
  EXPECT_EQ(blocks(update(0x01, true)), std::vector<uint32_t>{7});
  EXPECT_EQ(blocks(update(0x02, true)), std::vector<uint32_t>{40'000});
  EXPECT_EQ(blocks(update(0x03, true)), (std::vector<uint32_t>{7, 40'000}));
  EXPECT_EQ(blocks(update(0x01, false)), std::vector<uint32_t>{40'000});
  const Parsed parsed = update(0x02, true);
  EXPECT_EQ((parsed.as<HeapChange, HeapPayload>().cleared()[0].map_block()), 1U)
      << "a page of the map is of 32,672 heap blocks";
}

TEST(HeapPayload, ABlockThatIsClearedMustBeThere) {
  ByteWriter insert;
  insert.put_zeros(2);
  insert.put(uint8_t{1});
  EXPECT_TRUE(Parsed({.resource_manager = 10, .info = 0x00}, WalWriter::main_data(insert.view()))
                  .result()
                  .failed_with(ErrorCode::kCorrupted));
}

TEST(HeapPayload, OtherKinds) {
  const Parsed visible(visible_record());
  EXPECT_EQ((visible.as<VisibilityMapSet, HeapPayload>().flags), 3);
  EXPECT_EQ((visible.as<VisibilityMapSet, HeapPayload>().cutoff_transaction), 682U);
  const Parsed parsed(new_command_id_record());
  const auto& id = parsed.as<NewCommandId, HeapPayload>();
  EXPECT_EQ(id.relation.relation, 1262U);
  EXPECT_EQ(id.block, 0U);
  EXPECT_EQ(id.offset_number, 4);
  EXPECT_EQ(id.maximum, UINT32_MAX);
}

TEST(HeapPayload, LogicalRewriteIsNamed) {
  ByteWriter rewrite;
  for (const uint32_t word : {900U, 5U, 1259U, 0U}) rewrite.put(word);
  rewrite.put(uint64_t{4096});
  rewrite.put(uint32_t{2});
  rewrite.put(uint32_t{0});
  rewrite.put(uint64_t{0x1000028});
  rewrite.put_raw(as_bytes("mappings"));
  const Parsed parsed({.resource_manager = 9, .info = 0x00}, WalWriter::main_data(rewrite.view()));
  const auto& found = parsed.as<LogicalRewrite, HeapPayload>();
  EXPECT_EQ(found.transaction, 900U);
  EXPECT_EQ(found.offset, 4096U);
  EXPECT_EQ(found.mapping_count, 2U);
  EXPECT_EQ(found.start_lsn.to_string(), "0/1000028");
  EXPECT_EQ(as_text(found.mappings), "mappings");
}

TEST(LogicalPayload, MessagesOriginsAndSequences) {
  const Parsed message(logical_message_record());
  const auto& text = message.as<LogicalMessage, LogicalMessage>();
  EXPECT_TRUE(text.transactional);
  EXPECT_EQ(text.prefix, "note");
  EXPECT_EQ(as_text(text.message), "with the transaction");
  const Parsed origin(replication_origin_set_record());
  const auto& set = origin.as<ReplicationOriginSet, ReplicationOriginPayload>();
  EXPECT_EQ(set.node, 1);
  EXPECT_EQ(set.remote_lsn.to_string(), "0/FFFFFF");
  EXPECT_TRUE(set.force);
  const Parsed dropped(replication_origin_dropped_record());
  EXPECT_EQ((dropped.as<ReplicationOriginDropped, ReplicationOriginPayload>().node), 1);
  const Parsed sequence(sequence_record());
  EXPECT_EQ((sequence.as<SequenceUpdate, SequenceUpdate>().relation), relation(16384, 16396));
  const Parsed index(spgist_record());
  (void)index.as<ReferencedBlocksOnly, ReferencedBlocksOnly>();
}

TEST(Payload, OfAnUnknownRecordIsAnError) {
  EXPECT_TRUE(Parsed({.resource_manager = 200, .info = 0x00}, {})
                  .result()
                  .failed_with(ErrorCode::kInvalidArgument));
}

// One main data record of every kind with a payload, cut at every length: the ends of lists, names
// and fields are looked after.
TEST(Payload, CutAnywhereIsDamaged) {
  for (const GoldenRecord& golden : {checkpoint_record(),
                                     next_oid_record(),
                                     parameter_change_record(),
                                     restore_point_record(),
                                     backup_end_record(),
                                     commit_record(),
                                     replicated_commit_record(),
                                     abort_record(),
                                     prepare_with_everything(),
                                     commit_prepared_record(),
                                     abort_prepared_record(),
                                     assignment_record(),
                                     transaction_invalidations_record(),
                                     relation_created_record(),
                                     relation_truncated_record(),
                                     database_copied_record(),
                                     database_created_record(),
                                     database_dropped_record(),
                                     tablespace_created_record(),
                                     tablespace_dropped_record(),
                                     relation_map_record(),
                                     transaction_status_zeroed_record(),
                                     commit_timestamps_zeroed_record(),
                                     multixact_members_zeroed_record(),
                                     multixact_created_record(),
                                     standby_lock_record(),
                                     running_transactions_record(),
                                     standby_invalidations_record(),
                                     new_command_id_record(),
                                     logical_message_record(),
                                     replication_origin_set_record(),
                                     replication_origin_dropped_record()}) {
    DecodedRecord record;
    ASSERT_TRUE(record.decode(golden.record()).ok());
    ASSERT_TRUE(record.blocks().empty());
    const WalWriter::Kind kind{.resource_manager = record.header().resource_manager,
                               .info = record.header().info};
    const Bytes data(record.main_data().begin(), record.main_data().end());
    for (size_t size = 0; size < data.size(); ++size) {
      const Parsed parsed(kind, WalWriter::main_data(ByteView(data).first(size)));
      ASSERT_TRUE(parsed.result().failed_with(ErrorCode::kCorrupted))
          << "resource manager " << int{kind.resource_manager} << " info " << int{kind.info}
          << " with " << size << " of " << data.size() << " bytes";
    }
    Bytes longer = data;
    longer.push_back(0);
    // A prepared transaction says how long it is, an OID does not.
    EXPECT_FALSE(Parsed(kind, WalWriter::main_data(longer)).result().ok())
        << "resource manager " << int{kind.resource_manager} << " info " << int{kind.info};
  }
}

}  // namespace
}  // namespace varve::wal15
