#include "postgres/heap_page.h"

#include "postgres/page.h"

namespace varve {
namespace {

constexpr size_t kLinePointerSize = 4;
constexpr uint32_t kNormal = 1;  // LP_NORMAL

// Offsets in HeapTupleHeaderData.
constexpr size_t kXmin = 0;
constexpr size_t kXmax = 4;
constexpr size_t kColumnCount = 18;         // t_infomask2
constexpr uint16_t kColumnsMask = 0x07FF;   // HEAP_NATTS_MASK
constexpr size_t kFlags = 20;               // t_infomask
constexpr size_t kDataOffset = 22;          // t_hoff
constexpr size_t kNulls = 23;               // t_bits: a set bit is a column that is not null.
constexpr size_t kMinimumTupleHeader = 24;  // MAXALIGN(SizeofHeapTupleHeader)

uint32_t columns_before_null(const uint8_t* nulls, uint32_t columns) {
  uint32_t column = 0;
  while (column < columns && (nulls[column / 8] >> column % 8 & 1) != 0) ++column;
  return column;
}

Result<HeapTuple> read_tuple(ByteView bytes, uint16_t item) {
  const auto damaged = [item](std::string_view why) {
    return make_error(ErrorCode::kCorrupted, "tuple {} {}", item, why);
  };
  if (bytes.size() < kMinimumTupleHeader) return damaged("is shorter than its header");
  const size_t data_offset = bytes[kDataOffset];
  if (data_offset < kMinimumTupleHeader || data_offset > bytes.size() ||
      data_offset != align_maximally(data_offset)) {
    return damaged(fmt::format("has its columns at {}", data_offset));
  }
  HeapTuple tuple{.item = item,
                  .xmin = load_little<uint32_t>(&bytes[kXmin]),
                  .xmax = load_little<uint32_t>(&bytes[kXmax]),
                  .flags = load_little<uint16_t>(&bytes[kFlags]),
                  .columns = load_little<uint16_t>(&bytes[kColumnCount]) & uint32_t{kColumnsMask},
                  .data_offset = data_offset,
                  .data_size = bytes.size() - data_offset};
  if ((tuple.flags & HeapTuple::kHasNull) != 0) {
    if (kNulls + (tuple.columns + 7) / 8 > data_offset) {
      return damaged(fmt::format("has no room for {} columns", tuple.columns));
    }
    tuple.columns = columns_before_null(&bytes[kNulls], tuple.columns);
  }
  return tuple;
}

}  // namespace

Result<std::vector<HeapTuple>> heap_tuples(ByteView page) {
  std::vector<HeapTuple> tuples;
  if (page_is_new(page)) return tuples;
  const size_t pointers_end = page_lower(page);
  if (pointers_end < kPageHeaderSize || pointers_end > page.size() ||
      (pointers_end - kPageHeaderSize) % kLinePointerSize != 0) {
    return make_error(ErrorCode::kCorrupted, "its line pointers end at {}", pointers_end);
  }
  const size_t count = (pointers_end - kPageHeaderSize) / kLinePointerSize;
  for (size_t i = 0; i < count; ++i) {
    // ItemIdData: 15 bits where the tuple begins, 2 bits of state, 15 bits of length.
    const auto pointer = load_little<uint32_t>(&page[kPageHeaderSize + i * kLinePointerSize]);
    if ((pointer >> 15 & 3) != kNormal) continue;
    const size_t offset = pointer & 0x7FFF;
    const size_t length = pointer >> 17;
    const auto item = static_cast<uint16_t>(i + 1);
    if (offset < pointers_end || offset != align_maximally(offset) ||
        offset + length > page.size()) {
      return make_error(ErrorCode::kCorrupted, "tuple {} is said to have {} bytes at {}", item,
                        length, offset);
    }
    VARVE_ASSIGN(HeapTuple tuple, read_tuple(page.subspan(offset, length), item));
    tuple.data_offset += offset;
    tuples.push_back(tuple);
  }
  return tuples;
}

}  // namespace varve
