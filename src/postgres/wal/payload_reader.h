// Reads the main data of a WAL record field by field.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "postgres/layout.h"
#include "postgres/wal/decoded_record.h"
#include "postgres/wal/entry_list.h"

namespace varve {

// Where the data end too early, every take gives zeros, or nothing, and finish() fails: so a parser
// need not look after each field, only at the end.
class PayloadReader {
 public:
  // The record must outlive the reader.
  explicit PayloadReader(const DecodedRecord& record)
      : record_(record), data_(record.main_data()) {}

  template <std::unsigned_integral T>
  T take() {
    const ByteView bytes = take_bytes(sizeof(T));
    return bytes.empty() ? T{0} : load_little<T>(bytes.data());
  }
  bool take_bool() { return take<uint8_t>() != 0; }
  Lsn take_lsn() { return {take<uint64_t>()}; }
  // TimestampTz of src/include/datatype/timestamp.h: microseconds since 2000-01-01.
  Timestamp take_time() {
    constexpr uint64_t kMicrosToYear2000 = 946'684'800'000'000;
    return {static_cast<int64_t>(take<uint64_t>() + kMicrosToYear2000)};
  }
  RelationTag take_relation() {
    const ByteView bytes = take_bytes(EntryLayout<RelationTag>::kSize);
    return bytes.empty() ? RelationTag{} : EntryLayout<RelationTag>::load(bytes.data());
  }
  template <typename Entry>
  EntryList<Entry> take_list(uint64_t count) {
    constexpr size_t kSize = EntryLayout<Entry>::kSize;
    // A negative count of PostgreSQL's is a huge one here.
    if (count > data_.size() / kSize) {
      fail();
      return {};
    }
    return EntryList<Entry>(take_bytes(count * kSize));
  }
  // Up to the zero byte that ends it, which is taken too.
  std::string_view take_text() {
    const std::string_view rest = as_text(data_);
    const size_t length = rest.find('\0');
    if (length == std::string_view::npos) {
      fail();
      return {};
    }
    take_bytes(length + 1);
    return rest.substr(0, length);
  }
  ByteView take_bytes(size_t count) {
    if (count > data_.size()) {
      fail();
      return {};
    }
    const ByteView bytes = data_.first(count);
    data_ = data_.subspan(count);
    return bytes;
  }
  ByteView take_rest() { return take_bytes(data_.size()); }
  // To the next multiple of 8.
  void skip_alignment() {
    const size_t offset = record_.main_data().size() - data_.size();
    take_bytes(align_maximally(offset) - offset);
  }

  // A field has a value that it cannot have.
  void fail() {
    failed_ = true;
    data_ = {};
  }

  // Corrupted, naming the record, when there was too little, too much, or something wrong. `what`
  // is the kind of the record: "commit".
  Result<> finish(std::string_view what) const {
    if (!failed_ && data_.empty()) [[likely]] {
      return {};
    }
    return make_error(ErrorCode::kCorrupted, "the WAL record at {} is no valid {} record",
                      record_.start(), what);
  }

 private:
  const DecodedRecord& record_;
  ByteView data_;
  bool failed_ = false;
};

}  // namespace varve
