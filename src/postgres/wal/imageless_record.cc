#include "postgres/wal/imageless_record.h"

#include "postgres/wal/record_parts.h"

namespace varve {
namespace {

// src/include/access/rmgrlist.h.
constexpr uint8_t kHeap2ResourceManager = 9;
constexpr uint8_t kHeapResourceManager = 10;
constexpr uint8_t kBtreeResourceManager = 11;

void put_block(const BlockReference& block, const RelationTag* relation_before, ByteWriter& out) {
  const RelationTag& relation = block.fork.relation;
  const bool is_same = relation_before != nullptr && *relation_before == relation;
  auto flags = static_cast<uint8_t>(block.fork.fork);
  if (!block.data.empty()) flags |= wal_parts::kHasData;
  if (block.will_init) flags |= wal_parts::kWillInit;
  if (is_same) flags |= wal_parts::kSameRelation;
  out.put(block.id);
  out.put(flags);
  out.put(static_cast<uint16_t>(block.data.size()));
  if (!is_same) {
    out.put(relation.directory.tablespace);
    out.put(relation.directory.database);
    out.put(relation.relation);
  }
  out.put(block.block);
}

}  // namespace

bool may_lack_images(const WalRecordHeader& header) {
  return header.resource_manager == kHeapResourceManager ||
         header.resource_manager == kHeap2ResourceManager ||
         header.resource_manager == kBtreeResourceManager;
}

Bytes without_images(const DecodedRecord& record) {
  ByteWriter out;
  out.put_raw(record.bytes().first(kWalRecordHeaderSize));
  const RelationTag* relation = nullptr;
  for (const BlockReference& block : record.blocks()) {
    put_block(block, std::exchange(relation, &block.fork.relation), out);
  }
  if (record.origin() != 0) {
    out.put(wal_parts::kOriginId);
    out.put(record.origin());
  }
  if (record.top_level_transaction() != 0) {
    out.put(wal_parts::kTopLevelTransactionId);
    out.put(record.top_level_transaction());
  }
  const size_t main_size = record.main_data().size();
  if (main_size > UINT8_MAX) {
    out.put(wal_parts::kLongDataId);
    out.put(static_cast<uint32_t>(main_size));
  } else if (main_size > 0) {
    out.put(wal_parts::kShortDataId);
    out.put(static_cast<uint8_t>(main_size));
  }
  for (const BlockReference& block : record.blocks()) out.put_raw(block.data);
  out.put_raw(record.main_data());
  Bytes bytes = std::move(out).take();
  store_little(bytes.data(), static_cast<uint32_t>(bytes.size()));
  store_little(&bytes[kWalRecordCrcOffset], wal_record_crc(bytes));
  return bytes;
}

}  // namespace varve
