#include "ingest/database_selection.h"

#include <algorithm>
#include <array>
#include <map>

#include "ingest/transaction_outcomes.h"
#include "postgres/database_row.h"
#include "postgres/relation_map.h"
#include "postgres/stored_values.h"

namespace varve {
namespace {

// Who gives one of these another encoding or locale drops it and makes it anew, with an OID like
// any other: without template1 there is no CREATE DATABASE, and many programs connect to postgres.
constexpr std::array<std::string_view, 3> kSystemDatabases = {"postgres", "template0", "template1"};

bool is_system_database(uint32_t oid, std::string_view name) {
  return oid < kFirstNormalOid ||
         std::ranges::find(kSystemDatabases, name) != kSystemDatabases.end();
}

Result<Bytes> get_stored(VersionSource& source, const Key& key, Lsn lsn) {
  auto value = source.get(key, lsn);
  if (!value.failed_with(ErrorCode::kNotFound)) return value;
  return make_error(ErrorCode::kCorrupted, "{} is not stored at {}", describe(key), lsn);
}

Result<RelationForkTag> find_catalog(VersionSource& source, Lsn lsn) {
  constexpr DatabaseTag kShared{kGlobalTablespace, 0};
  const Key key = make_key(RelationMapKey{kShared});
  VARVE_ASSIGN(const Bytes map, get_stored(source, key, lsn));
  const auto relation = mapped_relation(map, kDatabaseCatalog);
  if (!relation.ok()) return relation.error().context(describe(key));
  return RelationForkTag{.relation = {.directory = kShared, .relation = *relation},
                         .fork = RelationFork::kMain};
}

Result<KeyRange> blocks_of(VersionSource& source, Lsn lsn, const RelationForkTag& fork) {
  const Key size_key = make_key(RelationSizeKey{fork});
  VARVE_ASSIGN(const Bytes size, get_stored(source, size_key, lsn));
  const auto blocks = decode_block_count(size);
  if (!blocks.ok()) return blocks.error().context(describe(size_key));
  return KeyRange{.start = make_key(RelationBlockKey{fork, 0}),
                  .end = make_key(RelationBlockKey{fork, *blocks})};
}

// The rows of pg_database that a server would see.
class DatabaseReader {
 public:
  DatabaseReader(VersionSource& source, Lsn lsn, const CheckpointRecord& checkpoint)
      : source_(source), lsn_(lsn), outcomes_(source, lsn, checkpoint) {}

  Result<std::map<std::string, DatabaseRow>> read(const RelationForkTag& catalog) && {
    VARVE_ASSIGN(const KeyRange blocks, blocks_of(source_, lsn_, catalog));
    VARVE_TRY(source_.scan(blocks, lsn_, [this](const Key& key, ByteView page) {
      return add_page(page).context(describe(key));
    }));
    return std::move(rows_);
  }

 private:
  Result<> add_page(ByteView page) {
    if (page.size() != kBlockSize) {
      return make_error(ErrorCode::kCorrupted, "it has {} bytes instead of {}", page.size(),
                        kBlockSize);
    }
    VARVE_ASSIGN(const auto tuples, heap_tuples(page));
    for (const HeapTuple& tuple : tuples) {
      VARVE_ASSIGN(const bool is_visible, outcomes_.is_visible(tuple));
      if (!is_visible) continue;
      VARVE_ASSIGN(DatabaseRow row, read_database_row(page, tuple));
      rows_.insert_or_assign(row.name, std::move(row));
    }
    return {};
  }

  VersionSource& source_;
  const Lsn lsn_;
  TransactionOutcomes outcomes_;
  std::map<std::string, DatabaseRow> rows_;
};

Result<> check_name(const std::string& name, const std::map<std::string, DatabaseRow>& rows,
                    Lsn lsn) {
  const auto found = rows.find(name);
  if (found != rows.end() && !found->second.is_invalid) return {};
  if (found != rows.end()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the database '{}' was being dropped at {}: restore an earlier LSN", name,
                      lsn);
  }
  std::string known;
  for (const auto& [other, row] : rows) {
    if (!row.is_invalid) known += (known.empty() ? "" : ", ") + other;
  }
  return make_error(ErrorCode::kInvalidArgument,
                    "there is no database '{}' at {}; the cluster has: {}", name, lsn, known);
}

}  // namespace

Result<DatabaseSelection> DatabaseSelection::choose(VersionSource& source, Lsn lsn,
                                                    const CheckpointRecord& checkpoint,
                                                    const std::vector<std::string>& names) {
  DatabaseSelection selection;
  VARVE_ASSIGN(selection.catalog_, find_catalog(source, lsn));
  VARVE_ASSIGN(const auto rows, DatabaseReader(source, lsn, checkpoint).read(selection.catalog_));
  for (const std::string& name : names) VARVE_TRY(check_name(name, rows, lsn));
  selection.included_.emplace();
  for (const auto& [name, row] : rows) {
    if (is_system_database(row.oid, name) || std::ranges::find(names, name) != names.end()) {
      selection.included_->insert(row.oid);
    } else {
      selection.left_out_.push_back(name);
    }
  }
  return selection;
}

Result<> DatabaseSelection::mark_left_out(const RelationBlockKey& block,
                                          std::span<uint8_t> page) const {
  if (!included_ || block.fork != catalog_) return {};
  const auto tuples = heap_tuples(page);
  if (!tuples.ok()) return tuples.error().context(describe(make_key(block)));
  // Also rows that nobody sees: a prepared transaction may still bring one of them to light.
  for (const HeapTuple& tuple : *tuples) {
    const auto row = read_database_row(page, tuple);
    if (!row.ok()) return row.error().context(describe(make_key(block)));
    if (!includes(row->oid)) invalidate_database_row(page, tuple);
  }
  return {};
}

}  // namespace varve
