// WAL records for tests, laid out as src/include/access/xlogrecord.h says.
#pragma once

#include <array>
#include <span>

#include "base/checksum.h"
#include "postgres/layout.h"

namespace varve {

// RmgrId of src/include/access/rmgrlist.h.
inline constexpr uint8_t kXlogManager = 0;
inline constexpr uint8_t kTransactionManager = 1;
inline constexpr uint8_t kHeap2Manager = 9;
inline constexpr uint8_t kHeapManager = 10;
// Operations: xl_info.
inline constexpr uint8_t kHeapInsert = 0x00;
inline constexpr uint8_t kHeap2Rewrite = 0x00;
inline constexpr uint8_t kHeap2Visible = 0x40;
inline constexpr uint8_t kFullPageImage = 0xB0;
inline constexpr uint8_t kFullPageImageForHint = 0xA0;

// Where a record keeps its checksum, which the rest of the header stands before.
inline constexpr size_t kRecordChecksumOffset = 20;
inline constexpr size_t kRecordHeaderSize = 24;

// Makes xl_tot_len and xl_crc what they must be for the rest.
inline void seal_record(Bytes& record) {
  store_little(record.data(), static_cast<uint32_t>(record.size()));
  const ByteView view(record);
  store_little(record.data() + kRecordChecksumOffset,
               crc32c(view.first(kRecordChecksumOffset), crc32c(view.subspan(kRecordHeaderSize))));
}

struct BlockReference {
  RelationTag relation;
  uint8_t fork = 0;
  uint32_t block = 0;
  bool will_init = false;
  ByteView data = {};
  // A whole page, which redo restores.
  ByteView image = {};
};

inline Bytes make_record(uint8_t manager, uint8_t info, std::span<const BlockReference> blocks,
                         ByteView main_data = {}) {
  constexpr uint8_t kHasImage = 0x10;
  constexpr uint8_t kHasData = 0x20;
  constexpr uint8_t kWillInit = 0x40;
  constexpr uint8_t kApplyImage = 0x02;
  constexpr uint8_t kShortMainData = 255;
  ByteWriter out;
  out.put_zeros(16);
  out.put(info);
  out.put(manager);
  out.put_zeros(6);
  for (size_t i = 0; i < blocks.size(); ++i) {
    const BlockReference& block = blocks[i];
    out.put(static_cast<uint8_t>(i));
    out.put(static_cast<uint8_t>(block.fork | (block.will_init ? kWillInit : 0) |
                                 (block.data.empty() ? 0 : kHasData) |
                                 (block.image.empty() ? 0 : kHasImage)));
    out.put(static_cast<uint16_t>(block.data.size()));
    if (!block.image.empty()) {
      out.put(static_cast<uint16_t>(block.image.size()));
      out.put(uint16_t{0});  // There is no hole.
      out.put(kApplyImage);
    }
    out.put(block.relation.directory.tablespace);
    out.put(block.relation.directory.database);
    out.put(block.relation.relation);
    out.put(block.block);
  }
  if (!main_data.empty()) {
    out.put(kShortMainData);
    out.put(static_cast<uint8_t>(main_data.size()));
  }
  for (const BlockReference& block : blocks) {
    out.put_raw(block.image);
    out.put_raw(block.data);
  }
  out.put_raw(main_data);
  Bytes record = std::move(out).take();
  seal_record(record);
  return record;
}

}  // namespace varve
