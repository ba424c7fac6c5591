#include "ingest/wal_redo.h"

#include <algorithm>

#include "postgres/page_redo/page_redo.h"
#include "postgres/stored_record.h"

namespace varve {
namespace {

using Page = std::span<uint8_t, kBlockSize>;

Result<Bytes> page_of(const Key& key, ByteView base) {
  if (base.empty()) return Bytes(kBlockSize);
  if (base.size() != kBlockSize) {
    return make_error(ErrorCode::kCorrupted, "{}: the page before the records has {} bytes",
                      describe(key), base.size());
  }
  return Bytes(base.begin(), base.end());
}

Result<> decode(const Version& version, DecodedRecord& record) {
  if (version.kind != ValueKind::kRecord && version.kind != ValueKind::kFirstRecord) {
    return make_error(ErrorCode::kCorrupted, "it is no record");
  }
  VARVE_ASSIGN(const StoredRecord stored, StoredRecord::parse(version.value));
  // Its start is told in messages only; exact unless the record crosses the end of a WAL page.
  const uint64_t size = std::min(align_maximally(stored.bytes.size()), version.lsn.value);
  VARVE_TRY(record.decode(
      {.start = {version.lsn.value - size}, .end = version.lsn, .bytes = stored.bytes}));
  if (wal_record_crc(stored.bytes) != record.header().crc) {
    return make_error(ErrorCode::kCorrupted, "its CRC is {:08x}, computed {:08x}",
                      record.header().crc, wal_record_crc(stored.bytes));
  }
  return {};
}

// Decodes a record and gives it to change(record), which applies it.
template <typename Change>
Result<> apply_record(const Key& key, const Version& version, DecodedRecord& record,
                      Change&& change) {
  Result<> result = decode(version, record);
  if (result.ok()) result = change(record);
  if (result.ok()) return {};
  return result.error().context(fmt::format("{}: the record up to {}", describe(key), version.lsn));
}

bool is_truncation(const Version& version) {
  const auto stored = StoredRecord::parse(version.value);
  return stored.ok() && stored->bytes.size() >= kWalRecordHeaderSize &&
         is_relation_truncation(WalRecordHeader::load(stored->bytes));
}

}  // namespace

Result<Bytes> WalRedo::apply(const Key& key, ByteView base, std::span<const Version> records) {
  VARVE_ASSIGN(const KeyFields fields, parse_key(key));
  if (const auto* block = std::get_if<RelationBlockKey>(&fields)) {
    if (block->fork.fork != RelationFork::kVisibilityMap) {
      return relation_blocks_->apply(key, base, records);
    }
    return apply_to_visibility_map(key, *block, base, records);
  }
  if (const auto* block = std::get_if<SlruBlockKey>(&fields)) {
    return apply_to_slru(key, *block, base, records);
  }
  return make_error(ErrorCode::kCorrupted, "{}: {}", describe(key),
                    records.empty()
                        ? std::string("WAL records do not make it")
                        : fmt::format("the record up to {} cannot make it", records.front().lsn));
}

std::vector<Result<Bytes>> WalRedo::apply_many(std::span<const RedoRequest> requests) {
  // Those for somebody else, without a copy where all of them are, as is usual.
  const auto is_passed_on = [](const RedoRequest& request) {
    const auto fields = parse_key(request.key);
    const auto* const block = fields.ok() ? std::get_if<RelationBlockKey>(&*fields) : nullptr;
    return block != nullptr && block->fork.fork != RelationFork::kVisibilityMap;
  };
  if (std::ranges::all_of(requests, is_passed_on)) return relation_blocks_->apply_many(requests);
  std::vector<RedoRequest> passed_on;
  std::ranges::copy_if(requests, std::back_inserter(passed_on), is_passed_on);
  auto theirs = relation_blocks_->apply_many(passed_on);
  auto next = theirs.begin();
  std::vector<Result<Bytes>> results;
  results.reserve(requests.size());
  for (const RedoRequest& request : requests) {
    if (is_passed_on(request)) {
      results.push_back(std::move(*next++));
    } else {
      results.push_back(apply(request.key, request.base, request.records));
    }
  }
  return results;
}

Result<Bytes> WalRedo::apply_to_slru(const Key& key, const SlruBlockKey& block, ByteView base,
                                     std::span<const Version> records) const {
  VARVE_ASSIGN(Bytes page, page_of(key, base));
  DecodedRecord decoded;
  for (const Version& version : records) {
    VARVE_TRY(apply_record(key, version, decoded, [&](const DecodedRecord& record) {
      return redo_slru_page(record, block.slru, block.page, Page(page));
    }));
  }
  return page;
}

Result<Bytes> WalRedo::apply_to_visibility_map(const Key& key, const RelationBlockKey& block,
                                               ByteView base,
                                               std::span<const Version> records) const {
  VARVE_ASSIGN(Bytes page, page_of(key, base));
  DecodedRecord decoded;
  while (!records.empty()) {
    const auto truncation = std::ranges::find_if(records, is_truncation);
    const auto before = static_cast<size_t>(truncation - records.begin());
    if (before > 0) {
      VARVE_ASSIGN(page, relation_blocks_->apply(key, page, records.first(before)));
      records = records.subspan(before);
      if (page.size() != kBlockSize) {
        return make_error(ErrorCode::kInternal, "{}: redo gave {} bytes", describe(key),
                          page.size());
      }
      continue;
    }
    VARVE_TRY(apply_record(key, records.front(), decoded, [&](const DecodedRecord& record) {
      return redo_visibility_map_page(record, block.fork.relation, block.block, Page(page));
    }));
    records = records.subspan(1);
  }
  return page;
}

}  // namespace varve
