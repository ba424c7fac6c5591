#include "ingest/wal/wal_ingester.h"

#include <algorithm>
#include <array>
#include <variant>

#include "ingest/time_index.h"
#include "postgres/page.h"
#include "postgres/page_redo/commit_timestamp_page.h"
#include "postgres/page_redo/multixact_page.h"
#include "postgres/page_redo/transaction_status_page.h"
#include "postgres/page_redo/visibility_map_page.h"
#include "postgres/stored_record.h"
#include "postgres/stored_values.h"
#include "postgres/wal/block_image.h"
#include "postgres/wal/imageless_record.h"

namespace varve {
namespace {

// RM_HASH_ID of src/include/access/rmgrlist.h.
constexpr uint8_t kHashResourceManager = 12;

constexpr std::array<uint8_t, kBlockSize> kZeroPage{};

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

RelationForkTag fork_of(const RelationTag& relation, RelationFork fork) {
  return {.relation = relation, .fork = fork};
}

bool changes_settings(const wal15::Payload& payload) {
  const auto* const xlog = std::get_if<wal15::XlogPayload>(&payload);
  return xlog != nullptr && std::holds_alternative<wal15::ParameterChange>(*xlog);
}

}  // namespace

Result<WalIngester> WalIngester::open(WalTarget& target, Lsn last, WalIngesterOptions options) {
  VersionSource& source = target.source();
  VARVE_ASSIGN(const Bytes control_bytes, source.get(make_key(ControlFileKey{}), last));
  VARVE_ASSIGN(const ControlFile control, ControlFile::parse(control_bytes));
  VARVE_ASSIGN(const Bytes checkpoint_bytes, source.get(make_key(CheckpointKey{}), last));
  VARVE_ASSIGN(const auto checkpoint, CheckpointRecord::parse(checkpoint_bytes));
  VARVE_ASSIGN(auto segments, SlruSegments::read(source, last));
  WalIngester ingester(target, options, last, checkpoint, std::move(segments));
  ingester.flushed_ = last;
  ingester.tracks_commit_timestamps_ = control.settings().track_commit_timestamp;
  ingester.logs_hint_bits_ = control.logs_hint_bits();
  VARVE_ASSIGN(const auto latest, find_lsn_at(source, Timestamp{INT64_MAX}, last));
  if (latest) ingester.latest_commit_ = latest->time;
  return ingester;
}

Result<> WalIngester::ingest(const WalRecord& record) {
  if (failed_) {
    return make_error(ErrorCode::kConflict, "the WAL is not followed beyond {}", end_);
  }
  auto taken = take_record(record);
  failed_ = !taken.ok();
  return taken;
}

Result<> WalIngester::take_record(const WalRecord& record) {
  VARVE_TRY(record_.decode(record));
  VARVE_ASSIGN(const wal15::Payload payload, wal15::parse_payload(record_));
  // What it copies or drops is read from the target, and what it changed, from then on.
  const bool changes_directories = std::holds_alternative<wal15::DatabasePayload>(payload);
  if (changes_directories || changes_settings(payload)) VARVE_TRY(flush());
  const size_t versions_before = batch_.versions().size();
  const Lsn start_before = std::exchange(start_, record.start);
  const Lsn end_before = std::exchange(end_, record.end);
  auto taken = take_payload(payload);
  if (!taken.ok()) {
    batch_.truncate(versions_before);
    start_ = start_before;
    end_ = end_before;
    return std::move(taken).context(fmt::format("the WAL record at {}", record.start));
  }
  if (changes_directories || batch_.size() >= options_.batch_size) return flush();
  return {};
}

Result<> WalIngester::take_payload(const wal15::Payload& payload) {
  kept_record_ = {};
  counters_.note_transaction(record_.header().transaction);
  bool hints_only = false;
  if (const auto* const xlog = std::get_if<wal15::XlogPayload>(&payload)) {
    const auto* const images = std::get_if<wal15::PageImages>(xlog);
    hints_only = images != nullptr && images->for_hint;
  }
  VARVE_TRY(take_blocks(hints_only));
  VARVE_TRY(std::visit([&](const auto& some) { return take(some); }, payload));
  for (const auto& [fork, blocks] : std::exchange(new_sizes_, {})) {
    put_image(make_key(RelationSizeKey{fork}), encode_block_count(blocks));
  }
  if (counters_.take_change()) {
    put_image(make_key(CheckpointKey{}), counters_.stored().encode());
  }
  return {};
}

Result<> WalIngester::flush() {
  if (flushed_ == end_) return {};
  VARVE_TRY(target_.ingest(start_, end_, batch_.versions()));
  batch_.clear();
  flushed_ = end_;
  sizes_.may_forget();
  return {};
}

void WalIngester::put(const Key& key, ValueKind kind, ByteView value) {
  batch_.add(key, end_, kind, value);
}

void WalIngester::put_image(const Key& key, ByteView image) {
  put(key, ValueKind::kImage, batch_.keep(image));
}

ByteView WalIngester::record_bytes() {
  if (kept_record_.empty()) {
    const bool has_image = std::ranges::any_of(
        record_.blocks(), [](const BlockReference& block) { return block.image.has_value(); });
    kept_record_ = has_image && may_lack_images(record_.header())
                       ? store_record(without_images(record_))
                       : store_record(record_.bytes());
  }
  return kept_record_;
}

ByteView WalIngester::store_record(ByteView bytes) {
  const StoredRecord stored{.hint_bits_logged = logs_hint_bits_, .bytes = bytes};
  const std::span<uint8_t> place = batch_.allocate(stored.encoded_size());
  stored.encode_to(place);
  return place;
}

// --- sizes ---

Result<std::optional<uint32_t>> WalIngester::size_of(const RelationForkTag& fork) {
  return sizes_.get(fork, target_.source(), flushed_);
}

void WalIngester::set_size(const RelationForkTag& fork, uint32_t blocks) {
  sizes_.set(fork, blocks);
  new_sizes_[fork] = blocks;
}

void WalIngester::extend(const RelationForkTag& fork, uint32_t size, uint32_t block) {
  // Those of before a truncation must not come back.
  const auto is_referenced = [&](uint32_t number) {
    return std::ranges::any_of(record_.blocks(), [&](const BlockReference& reference) {
      return reference.block == number && reference.fork == fork;
    });
  };
  for (uint32_t between = size; between < block; ++between) {
    if (is_referenced(between)) continue;
    put_tombstone(make_key(RelationBlockKey{.fork = fork, .block = between}));
  }
  set_size(fork, block + 1);
}

Result<> WalIngester::drop(const RelationTag& relation) {
  for (uint8_t number = 0; number < kForkCount; ++number) {
    const RelationForkTag fork = fork_of(relation, static_cast<RelationFork>(number));
    VARVE_ASSIGN(const auto size, size_of(fork));
    if (!size) continue;
    put_tombstone(make_key(RelationSizeKey{fork}));
    sizes_.set(fork, std::nullopt);
    new_sizes_.erase(fork);
  }
  return {};
}

// --- blocks ---

Result<> WalIngester::take_blocks(bool hints_only) {
  for (const BlockReference& block : record_.blocks()) {
    // Whoever has the page loses nothing with a hint that came without an image.
    if (hints_only && !(block.image && block.image->apply)) continue;
    VARVE_TRY(take_block(block));
  }
  return {};
}

Result<> WalIngester::take_block(const BlockReference& block) {
  const Key key = make_key(RelationBlockKey{.fork = block.fork, .block = block.block});
  VARVE_ASSIGN(const auto size, size_of(block.fork));
  const bool is_there = size && block.block < *size;
  const bool has_image = block.image && block.image->apply;
  // Redo of hash indexes goes on with pages that it has restored.
  if (has_image && record_.header().resource_manager != kHashResourceManager) {
    const auto page = batch_.allocate(kBlockSize).first<kBlockSize>();
    VARVE_TRY(restore_block_image(block, page));
    if (!page_is_new(page)) set_page_lsn(page, end_);
    if (!is_there) extend(block.fork, size.value_or(0), block.block);
    put(key, ValueKind::kImage, page);
    return {};
  }
  if (has_image || block.will_init) {
    if (!is_there) extend(block.fork, size.value_or(0), block.block);
    put(key, ValueKind::kFirstRecord, has_image ? store_record(record_.bytes()) : record_bytes());
    return {};
  }
  if (is_there) {
    put_record(key);
    return {};
  }
  if (block.fork.fork == RelationFork::kVisibilityMap) {
    // Its pages come into being without a record: zeros are a valid one.
    extend(block.fork, size.value_or(0), block.block);
    put(key, ValueKind::kFirstRecord, record_bytes());
    return {};
  }
  if (end_ <= options_.consistent_from) return {};
  return make_error(ErrorCode::kCorrupted, "it changes block {} of {}, which has {} blocks",
                    block.block, block.fork.to_string(), size.value_or(0));
}

Result<> WalIngester::take(const wal15::HeapPayload& payload) {
  if (const auto* const change = std::get_if<wal15::HeapChange>(&payload)) {
    return clear_visibility(change->cleared());
  }
  // The others change blocks that they refer to, or files of logical decoding, which end with the
  // slots that a restored cluster does not have.
  return {};
}

Result<> WalIngester::clear_visibility(std::span<const wal15::VisibilityMapClear> clears) {
  std::optional<Key> last;
  for (const wal15::VisibilityMapClear& clear : clears) {
    const RelationForkTag map = fork_of(clear.relation, RelationFork::kVisibilityMap);
    VARVE_ASSIGN(const auto size, size_of(map));
    if (!size || *size <= clear.map_block()) continue;
    const Key key = make_key(RelationBlockKey{.fork = map, .block = clear.map_block()});
    // One record clears all bits that it has to on a page.
    if (last != key) put_record(key);
    last = key;
  }
  return {};
}

Result<> WalIngester::take(const wal15::StoragePayload& payload) {
  if (const auto* const truncated = std::get_if<wal15::RelationTruncated>(&payload)) {
    return take(*truncated);
  }
  const RelationForkTag& fork = std::get<wal15::RelationCreated>(payload).fork;
  VARVE_ASSIGN(const auto size, size_of(fork));
  if (!size) set_size(fork, 0);
  return {};
}

Result<> WalIngester::take(const wal15::RelationTruncated& truncated) {
  if (truncated.main) {
    const RelationForkTag main = fork_of(truncated.relation, RelationFork::kMain);
    VARVE_ASSIGN(const auto size, size_of(main));
    if (size && truncated.block < *size) set_size(main, truncated.block);
  }
  if (truncated.visibility_map) {
    const RelationForkTag map = fork_of(truncated.relation, RelationFork::kVisibilityMap);
    VARVE_ASSIGN(const auto size, size_of(map));
    const auto cut = visibility_map_page_to_clear(truncated.block);
    if (size && cut && *cut < *size) {
      put_record(make_key(RelationBlockKey{.fork = map, .block = *cut}));
    }
    const uint32_t blocks = visibility_map_size_after_truncation(truncated.block);
    if (size && blocks < *size) set_size(map, blocks);
  }
  if (truncated.free_space_map) {
    // Most of its changes are not in the WAL: rather none than one that knows of blocks beyond the
    // end. The server makes it again.
    const RelationForkTag map = fork_of(truncated.relation, RelationFork::kFreeSpaceMap);
    VARVE_ASSIGN(const auto size, size_of(map));
    if (size) {
      put_tombstone(make_key(RelationSizeKey{map}));
      sizes_.set(map, std::nullopt);
    }
  }
  return {};
}

// --- transactions ---

Result<> WalIngester::take(const wal15::TransactionPayload& payload) {
  return std::visit(
      Overloaded{[&](const wal15::TransactionEnd& end) { return take(end); },
                 [&](const wal15::TransactionPrepared& prepared) { return take(prepared); },
                 [&](const wal15::SubtransactionAssignment& assignment) -> Result<> {
                   for (const uint32_t each : assignment.subtransactions) {
                     counters_.note_transaction(each);
                   }
                   return {};
                 },
                 [&](const wal15::TransactionInvalidations&) -> Result<> { return {}; }},
      payload);
}

Result<> WalIngester::take(const wal15::TransactionEnd& end) {
  counters_.note_transaction(end.transaction);
  for (const uint32_t each : end.subtransactions) counters_.note_transaction(each);
  transaction_status_pages(end, slru_pages_);
  for (const uint32_t page : slru_pages_) {
    put_slru_record(Slru::kTransactionStatus, page);
  }
  const bool is_commit = end.outcome == wal15::TransactionEnd::Outcome::kCommitted;
  if (is_commit && tracks_commit_timestamps_ && end.transaction != 0) {
    commit_timestamp_pages(end, slru_pages_);
    for (const uint32_t page : slru_pages_) {
      if (!segments_.has_page(Slru::kCommitTimestamps, page)) continue;
      put_slru_record(Slru::kCommitTimestamps, page);
    }
    counters_.note_newest_commit_timestamp(end.transaction);
  }
  for (const RelationTag& relation : end.dropped_relations) VARVE_TRY(drop(relation));
  if (end.was_prepared) {
    put_tombstone(make_key(TwoPhaseFileKey{.transaction = end.transaction}));
  }
  if (is_commit) note_time(end.time);
  return {};
}

// The server that recovers up to a time stops before the first commit of a later time. Commits come
// in almost the order of their times: the time of an entry is the latest one so far.
void WalIngester::note_time(Timestamp time) {
  latest_commit_ = std::max(latest_commit_, time);
  put_image(time_index_key(latest_commit_), time_index_value(end_));
}

Result<> WalIngester::take(const wal15::TransactionPrepared& prepared) {
  counters_.note_transaction(prepared.transaction);
  for (const uint32_t each : prepared.subtransactions) counters_.note_transaction(each);
  put_image(make_key(TwoPhaseFileKey{.transaction = prepared.transaction}),
            prepared.two_phase_file());
  return {};
}

// --- directories ---

Result<> WalIngester::take(const wal15::DatabasePayload& payload) {
  return std::visit(
      Overloaded{[&](const wal15::DatabaseCopied& copied) { return take(copied); },
                 [&](const wal15::DatabaseCreated& created) -> Result<> {
                   put_image(make_key(DatabaseDirectoryKey{created.directory}),
                             DatabaseDirectoryFacts{.has_version_file = true}.encode());
                   return {};
                 },
                 [&](const wal15::DatabaseDropped& dropped) { return take(dropped); }},
      payload);
}

Result<> WalIngester::take(const wal15::DatabaseCopied& copied) {
  VersionSource& source = target_.source();
  const auto copy_directory = [&](const Key& key, ByteView value) -> Result<> {
    VARVE_ASSIGN(const KeyFields fields, parse_key(key));
    std::visit(Overloaded{[&](DatabaseDirectoryKey each) {
                            each.directory = copied.directory;
                            put_image(make_key(each), value);
                          },
                          [&](RelationMapKey each) {
                            each.directory = copied.directory;
                            put_image(make_key(each), value);
                          },
                          [&](RelationSizeKey each) {
                            each.fork.relation.directory = copied.directory;
                            put_image(make_key(each), value);
                          },
                          [&](RelationBlockKey each) {
                            each.fork.relation.directory = copied.directory;
                            put_image(make_key(each), value);
                          },
                          [](const auto&) {}},
               fields);
    return {};
  };
  const auto copy = [&](const KeyRange& range) {
    return source.scan(range, flushed_, copy_directory);
  };
  const auto only = [](const Key& key) { return KeyRange{key, key.next()}; };
  VARVE_TRY(copy(only(make_key(DatabaseDirectoryKey{copied.source}))));
  VARVE_TRY(copy(only(make_key(RelationMapKey{copied.source}))));
  VARVE_TRY(copy(relation_sizes_of(copied.source)));
  VARVE_TRY(copy(relation_blocks_of(copied.source)));
  return {};
}

Result<> WalIngester::take(const wal15::DatabaseDropped& dropped) {
  for (const uint32_t tablespace : dropped.tablespaces) {
    const DatabaseTag directory{.tablespace = tablespace, .database = dropped.database};
    put_tombstone(make_key(DatabaseDirectoryKey{directory}));
    put_tombstone(make_key(RelationMapKey{directory}));
    VARVE_TRY(target_.source().scan(relation_sizes_of(directory), flushed_,
                                    [&](const Key& key, ByteView) -> Result<> {
                                      put_tombstone(key);
                                      return {};
                                    }));
    sizes_.drop(directory);
  }
  return {};
}

Result<> WalIngester::take(const wal15::TablespacePayload& payload) {
  if (const auto* const created = std::get_if<wal15::TablespaceCreated>(&payload)) {
    put_image(make_key(TablespaceKey{created->tablespace}),
              TablespaceFacts{.location = std::string(created->path)}.encode());
  } else {
    put_tombstone(make_key(TablespaceKey{std::get<wal15::TablespaceDropped>(payload).tablespace}));
  }
  return {};
}

Result<> WalIngester::take(const wal15::RelationMapUpdate& update) {
  put_image(make_key(RelationMapKey{update.directory}), update.file);
  return {};
}

// --- transaction logs ---

void WalIngester::extend_slru(Slru slru, uint32_t page) {
  const auto pages = segments_.extend_to(slru, page);
  if (!pages) return;
  put_image(make_key(SlruSegmentSizeKey{.slru = slru, .segment = page / kSlruPagesPerSegment}),
            encode_block_count(*pages));
}

// A page that is not there is one of zeros, as in the recovery of the server itself.
void WalIngester::put_slru_record(Slru slru, uint32_t page) {
  const bool is_there = segments_.has_page(slru, page);
  if (!is_there) extend_slru(slru, page);
  put(make_key(SlruBlockKey{.slru = slru, .page = page}),
      is_there ? ValueKind::kRecord : ValueKind::kFirstRecord, record_bytes());
}

void WalIngester::remove_segments(Slru slru, std::span<const uint32_t> segments) {
  for (const uint32_t segment : segments) {
    put_tombstone(make_key(SlruSegmentSizeKey{.slru = slru, .segment = segment}));
  }
}

Result<> WalIngester::take(const wal15::SlruPayload& payload) {
  return std::visit(
      Overloaded{
          [&](const wal15::SlruPageZeroed& zeroed) -> Result<> {
            extend_slru(zeroed.slru, zeroed.page);
            put_image(make_key(SlruBlockKey{.slru = zeroed.slru, .page = zeroed.page}), kZeroPage);
            return {};
          },
          [&](const wal15::TransactionStatusTruncated& truncated) -> Result<> {
            remove_segments(Slru::kTransactionStatus,
                            segments_.truncate_before(Slru::kTransactionStatus, truncated.page,
                                                      kTransactionsPerStatusPage));
            counters_.note_oldest_transaction(truncated.oldest_transaction,
                                              truncated.oldest_transaction_database);
            return {};
          },
          [&](const wal15::CommitTimestampsTruncated& truncated) -> Result<> {
            remove_segments(Slru::kCommitTimestamps,
                            segments_.truncate_before(Slru::kCommitTimestamps, truncated.page,
                                                      kTransactionsPerTimestampPage));
            counters_.note_oldest_commit_timestamp(truncated.oldest_transaction);
            return {};
          },
          [&](const wal15::MultixactCreated& created) { return take(created); },
          [&](const wal15::MultixactsTruncated& truncated) { return take(truncated); }},
      payload);
}

Result<> WalIngester::take(const wal15::MultixactCreated& created) {
  const uint32_t own_page = created.multixact / kMultixactsPerOffsetsPage;
  multixact_offsets_pages(created, slru_pages_);
  for (const uint32_t page : slru_pages_) {
    // That of the next multixact is zeroed before it is used.
    if (page != own_page && !segments_.has_page(Slru::kMultixactOffsets, page)) continue;
    put_slru_record(Slru::kMultixactOffsets, page);
  }
  multixact_members_pages(created, slru_pages_);
  for (const uint32_t page : slru_pages_) put_slru_record(Slru::kMultixactMembers, page);
  for (const wal15::MultixactMember member : created.members) {
    counters_.note_transaction(member.transaction);
  }
  counters_.note_multixact(created);
  return {};
}

Result<> WalIngester::take(const wal15::MultixactsTruncated& truncated) {
  // PerformOffsetsTruncation and PerformMembersTruncation of
  // src/backend/access/transam/multixact.c.
  const uint32_t last_gone =
      truncated.end_multixact == 1 ? UINT32_MAX : truncated.end_multixact - 1;
  remove_segments(
      Slru::kMultixactOffsets,
      segments_.truncate_before(Slru::kMultixactOffsets, last_gone / kMultixactsPerOffsetsPage,
                                kMultixactsPerOffsetsPage));
  constexpr uint32_t kMembersPerSegment = kMembersPerPage * kSlruPagesPerSegment;
  constexpr uint32_t kLastSegment = UINT32_MAX / kMembersPerSegment;
  const uint32_t end = truncated.end_member / kMembersPerSegment;
  for (uint32_t segment = truncated.start_member / kMembersPerSegment; segment != end;
       segment = segment == kLastSegment ? 0 : segment + 1) {
    if (segments_.remove(Slru::kMultixactMembers, segment)) {
      remove_segments(Slru::kMultixactMembers, {&segment, 1});
    }
  }
  counters_.note_oldest_multixact(truncated.end_multixact, truncated.oldest_multixact_database);
  return {};
}

// --- the cluster ---

Result<> WalIngester::take(const wal15::StandbyPayload& payload) {
  if (const auto* const running = std::get_if<wal15::RunningTransactions>(&payload)) {
    counters_.note_next_transaction(running->next_transaction);
  }
  return {};
}

Result<> WalIngester::take(const wal15::XlogPayload& payload) {
  if (const auto* const checkpoint = std::get_if<wal15::Checkpoint>(&payload)) {
    counters_.note_checkpoint(checkpoint->checkpoint);
  } else if (const auto* const oid = std::get_if<wal15::NextOid>(&payload)) {
    counters_.note_oid(oid->oid);
  } else if (const auto* const change = std::get_if<wal15::ParameterChange>(&payload)) {
    VARVE_ASSIGN(const Bytes stored, target_.source().get(make_key(ControlFileKey{}), flushed_));
    VARVE_ASSIGN(const ControlFile control, ControlFile::parse(stored));
    const ControlFile changed = control.with_settings(change->settings);
    put_image(make_key(ControlFileKey{}), changed.data());
    tracks_commit_timestamps_ = change->settings.track_commit_timestamp;
    logs_hint_bits_ = changed.logs_hint_bits();
  } else if (const auto* const end = std::get_if<wal15::EndOfRecovery>(&payload)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the server was promoted to timeline {} (it was on {}): its history is no "
                      "longer the one that is followed",
                      end->timeline, end->previous_timeline);
  }
  // The others change nothing but blocks, or nothing that outlives the server.
  return {};
}

}  // namespace varve
