// Heap pages made by hand.
#pragma once

#include <algorithm>

#include "postgres/heap_page.h"
#include "postgres/page.h"

namespace varve {

struct TestTuple {
  uint32_t xmin = 700;
  uint32_t xmax = 0;
  uint16_t flags = HeapTuple::kXminCommitted | HeapTuple::kXmaxInvalid;
  uint16_t columns = 8;
  // With HeapTuple::kHasNull; a set bit is a column that is not null.
  uint8_t nulls = 0xFF;
  Bytes data = {};
};

class HeapPageBuilder {
 public:
  static constexpr size_t kHeader = 24;  // Of a page, and of a tuple.

  HeapPageBuilder() {
    store_little(&page_[16], uint16_t{kBlockSize});
    store_little(&page_[18], uint16_t{kBlockSize | 4});
    end_pointers();
  }

  HeapPageBuilder& add(const TestTuple& tuple) {
    const size_t length = kHeader + tuple.data.size();
    upper_ -= align_maximally(length);
    add_pointer(static_cast<uint32_t>(upper_), 1, static_cast<uint32_t>(length));
    uint8_t* header = &page_[upper_];
    store_little(header, tuple.xmin);
    store_little(header + 4, tuple.xmax);
    store_little(header + 18, tuple.columns);
    store_little(header + 20, tuple.flags);
    header[22] = kHeader;
    header[23] = tuple.nulls;
    std::ranges::copy(tuple.data, header + kHeader);
    return *this;
  }

  HeapPageBuilder& add_pointer(uint32_t offset, uint32_t state, uint32_t length) {
    store_little(&page_[lower_], offset | state << 15 | length << 17);
    lower_ += 4;
    end_pointers();
    return *this;
  }

  Bytes page(uint32_t block = 0) const {
    Bytes page = page_;
    set_page_checksum(page, block);
    return page;
  }

 private:
  void end_pointers() {
    store_little(&page_[12], static_cast<uint16_t>(lower_));
    store_little(&page_[14], static_cast<uint16_t>(upper_));
  }

  Bytes page_ = Bytes(kBlockSize);
  size_t lower_ = kPageHeaderSize;
  size_t upper_ = kBlockSize;
};

// The columns of a row of pg_database that have fixed lengths, and the beginning of the others.
inline Bytes database_columns(uint32_t oid, std::string_view name, int32_t connection_limit = -1,
                              bool is_template = false) {
  Bytes columns(100, 0x77);
  store_little(&columns[0], oid);
  std::fill_n(&columns[4], 64, uint8_t{0});
  std::ranges::copy(as_bytes(name), &columns[4]);
  columns[77] = is_template ? 1 : 0;
  columns[78] = 1;
  store_little(&columns[80], static_cast<uint32_t>(connection_limit));
  return columns;
}

}  // namespace varve
