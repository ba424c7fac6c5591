// The catalog of databases, and what became of transactions, in a store of images.
#pragma once

#include "base/checksum.h"
#include "ingest/test_support/memory_versions.h"
#include "postgres/page_redo/multixact_page.h"
#include "postgres/page_redo/transaction_status_page.h"
#include "postgres/relation_map.h"
#include "postgres/stored_values.h"
#include "postgres/test_support/heap_page_builder.h"

namespace varve {

inline constexpr uint32_t kTestCatalogFiles = 17001;
inline constexpr RelationForkTag kTestCatalog = {
    .relation = {.directory = {kGlobalTablespace, 0}, .relation = kTestCatalogFiles},
    .fork = RelationFork::kMain};

inline Bytes shared_relation_map(uint32_t catalog = kDatabaseCatalog) {
  Bytes map(kRelationMapSize);
  store_little(&map[0], uint32_t{0x592717});
  store_little(&map[4], uint32_t{1});
  store_little(&map[8], catalog);
  store_little(&map[12], kTestCatalogFiles);
  store_little(&map[504], crc32c(ByteView(map).first(504)));
  return map;
}

// `pages` become the catalog.
inline void store_catalog(MemoryVersions& store, const std::vector<Bytes>& pages) {
  store[RelationMapKey{{kGlobalTablespace, 0}}] = shared_relation_map();
  const auto count = encode_block_count(static_cast<uint32_t>(pages.size()));
  store[RelationSizeKey{kTestCatalog}] = Bytes(count.begin(), count.end());
  for (uint32_t block = 0; block < pages.size(); ++block) {
    store[RelationBlockKey{kTestCatalog, block}] = pages[block];
  }
}

// On a page of pg_xact that is made when it is not there.
inline void store_status(MemoryVersions& store, uint32_t transaction, TransactionStatus status) {
  Bytes& page =
      store[SlruBlockKey{Slru::kTransactionStatus, transaction / kTransactionsPerStatusPage}];
  page.resize(kBlockSize);
  const uint32_t shift = transaction % 4 * 2;
  uint8_t& four = page[transaction % kTransactionsPerStatusPage / 4];
  four = static_cast<uint8_t>((four & ~(3U << shift)) | static_cast<uint32_t>(status) << shift);
}

// On pages of pg_multixact that are made when they are not there.
inline void store_multixact(MemoryVersions& store, uint32_t multixact, uint32_t offset,
                            const std::vector<wal15::MultixactMember>& members) {
  ByteWriter writer;
  for (const auto& member : members) {
    writer.put(member.transaction);
    writer.put(member.status);
  }
  const Bytes list = std::move(writer).take();
  const wal15::MultixactCreated created{
      .multixact = multixact, .offset = offset, .members = EntryList<wal15::MultixactMember>(list)};
  std::vector<uint32_t> pages;
  const auto page_of = [&store](Slru slru, uint32_t number) {
    Bytes& page = store[SlruBlockKey{slru, number}];
    page.resize(kBlockSize);
    return std::span<uint8_t, kBlockSize>(page);
  };
  multixact_offsets_pages(created, pages);
  for (const uint32_t page : pages) {
    redo_multixact_offsets(created, page, page_of(Slru::kMultixactOffsets, page));
  }
  multixact_members_pages(created, pages);
  for (const uint32_t page : pages) {
    redo_multixact_members(created, page, page_of(Slru::kMultixactMembers, page));
  }
}

}  // namespace varve
