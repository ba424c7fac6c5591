// Lists of equal-sized entries within a WAL record, read where they lie.
#pragma once

#include <cstdint>
#include <iterator>

#include "base/bytes.h"
#include "postgres/layout.h"

namespace varve {

// How an entry lies in a record: its size, and reading it from any address. Entries with fields of
// their own have both as members.
template <typename Entry>
struct EntryLayout {
  static constexpr size_t kSize = Entry::kSize;
  static Entry load(const uint8_t* from) { return Entry::load(from); }
};
template <>
struct EntryLayout<uint32_t> {
  static constexpr size_t kSize = sizeof(uint32_t);
  static uint32_t load(const uint8_t* from) { return load_little<uint32_t>(from); }
};
// RelFileNode of src/include/storage/relfilenode.h.
template <>
struct EntryLayout<RelationTag> {
  static constexpr size_t kSize = 12;
  static RelationTag load(const uint8_t* from) {
    return {.directory = {.tablespace = load_little<uint32_t>(from),
                          .database = load_little<uint32_t>(from + 4)},
            .relation = load_little<uint32_t>(from + 8)};
  }
};

// A view: valid as long as the record's bytes.
template <typename Entry>
class EntryList {
 public:
  using Layout = EntryLayout<Entry>;

  class Iterator {
   public:
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    Iterator() = default;
    explicit Iterator(const uint8_t* at) : at_(at) {}
    Entry operator*() const { return Layout::load(at_); }
    Iterator& operator++() {
      at_ += Layout::kSize;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const uint8_t* at_ = nullptr;
  };

  EntryList() = default;
  // The size of `bytes` is a multiple of the size of an entry.
  explicit EntryList(ByteView bytes) : bytes_(bytes) {}

  size_t size() const { return bytes_.size() / Layout::kSize; }
  bool empty() const { return bytes_.empty(); }
  Entry operator[](size_t index) const { return Layout::load(&bytes_[index * Layout::kSize]); }
  Iterator begin() const { return Iterator(bytes_.data()); }
  Iterator end() const { return Iterator(bytes_.data() + bytes_.size()); }

 private:
  ByteView bytes_;
};

}  // namespace varve
