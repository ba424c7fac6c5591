// Lays WAL records over pages and segments as PostgreSQL does, for tests.
#pragma once

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "postgres/wal/wal_page.h"
#include "postgres/wal/wal_record.h"

namespace varve {

class WalWriter {
 public:
  struct Options {
    // Where a record or a page may start.
    Lsn start{0x1000028};
    uint32_t wal_segment_size = 1U << 20;
    uint64_t system_identifier = 7710731997825599511;
    uint32_t timeline = 1;
    Lsn previous;
  };
  struct Kind {
    uint8_t resource_manager = 10;  // Heap
    uint8_t info = 0x70;            // INPLACE
    uint32_t transaction = 700;
  };
  struct Placed {
    Lsn start;
    Lsn end;
    Bytes bytes;
  };

  WalWriter() : WalWriter(Options{}) {}
  explicit WalWriter(const Options& options)
      : options_(options), position_(options.start), previous_(options.previous) {}

  // The parts of a record that consists of main data alone.
  static Bytes main_data(ByteView data) {
    ByteWriter parts;
    if (data.empty()) return {};
    if (data.size() < 256) {
      parts.put(uint8_t{255});
      parts.put(static_cast<uint8_t>(data.size()));
    } else {
      parts.put(uint8_t{254});
      parts.put(static_cast<uint32_t>(data.size()));
    }
    parts.put_raw(data);
    return std::move(parts).take();
  }

  // A record whose parts are given.
  const Placed& add(const Kind& kind, ByteView parts) {
    return place(make_record(kind, previous_, parts));
  }
  // A record of `size` bytes in all, at least kWalRecordHeaderSize, whose content does not matter.
  const Placed& add_sized(uint32_t size) { return place(make_sized(size)); }
  const Placed& add_switch() {
    add({.resource_manager = 0, .info = 0x40}, {});
    const uint64_t size = options_.wal_segment_size;
    pad_to({(position_.value + size - 1) / size * size});
    records_.back().end = position_;
    return records_.back();
  }
  // A record of which only what fits on its page was written, and on the next page the one that a
  // server writes there after the crash.
  const Placed& add_overwritten(uint32_t size, std::optional<Lsn> named = {}) {
    begin_page(0);
    const Lsn start = position_;
    const Bytes record = make_sized(size);
    const size_t fits = kWalBlockSize - start.value % kWalBlockSize;
    put(ByteView(record).first(fits), 0);
    next_page_flags_ = WalPageHeader::kFirstIsOverwrite;
    ByteWriter data;
    data.put(named.value_or(start));
    data.put(uint64_t{0});
    return add({.resource_manager = 0, .info = 0xD0, .transaction = 0}, main_data(data.view()));
  }
  // Records until exactly `room` bytes are left on the page; `room` is a multiple of 8.
  void leave_room(uint32_t room) {
    begin_page(0);
    uint64_t left = kWalBlockSize - position_.value % kWalBlockSize;
    // Not enough for a record: the next page then.
    if (left < room + kWalRecordHeaderSize && left != room) {
      add_sized(static_cast<uint32_t>(left) + kWalRecordHeaderSize);
      left = kWalBlockSize - position_.value % kWalBlockSize;
    }
    if (left > room) add_sized(static_cast<uint32_t>(left - room));
  }

  // What was written from options.start on.
  const Bytes& bytes() const { return bytes_; }
  const std::vector<Placed>& records() const { return records_; }
  // Of the next record.
  Lsn position() const { return position_; }
  const Options& options() const { return options_; }
  // Where in bytes() that lies which has this LSN.
  size_t offset_of(Lsn lsn) const { return lsn.value - options_.start.value; }

  static Bytes make_record(const Kind& kind, Lsn previous, ByteView parts) {
    ByteWriter record;
    record.put(static_cast<uint32_t>(kWalRecordHeaderSize + parts.size()));
    record.put(kind.transaction);
    record.put(previous);
    record.put(kind.info);
    record.put(kind.resource_manager);
    record.put(uint16_t{0});
    record.put(uint32_t{0});
    record.put_raw(parts);
    Bytes bytes = std::move(record).take();
    mend_crc(bytes);
    return bytes;
  }
  static void mend_crc(std::span<uint8_t> record) {
    store_little(&record[kWalRecordCrcOffset], wal_record_crc(record));
  }

 private:
  Bytes make_sized(uint32_t size) const {
    Bytes parts(size - kWalRecordHeaderSize);
    for (size_t i = 0; i < parts.size(); ++i) {
      parts[i] = static_cast<uint8_t>(i * 31 + records_.size());
    }
    return make_record({}, previous_, parts);
  }

  const Placed& place(const Bytes& record) {
    begin_page(0);
    const Lsn start = position_;
    put(record, record.size());
    previous_ = start;
    pad_to({align_maximally(position_.value)});
    records_.push_back({.start = start, .end = position_, .bytes = record});
    return records_.back();
  }

  // With a header, if the position is at the start of a page.
  void begin_page(size_t remaining) {
    if (position_.value % kWalBlockSize != 0) return;
    const uint32_t size = wal_page_header_size(position_, options_.wal_segment_size);
    ByteWriter header;
    const uint16_t flags = (remaining > 0 ? WalPageHeader::kFirstIsContinuation : 0) |
                           (size == kLongWalPageHeaderSize ? WalPageHeader::kLong : 0) |
                           next_page_flags_;
    next_page_flags_ = 0;
    header.put(uint16_t{0xD110});
    header.put(flags);
    header.put(options_.timeline);
    header.put(position_);
    header.put(static_cast<uint32_t>(remaining));
    header.put(uint32_t{0});
    if (size == kLongWalPageHeaderSize) {
      header.put(options_.system_identifier);
      header.put(options_.wal_segment_size);
      header.put(kWalBlockSize);
    }
    append(header.view());
  }

  void put(ByteView record, size_t total) {
    for (size_t done = 0; done < record.size();) {
      begin_page(total - std::min(total, done));
      const size_t room = kWalBlockSize - position_.value % kWalBlockSize;
      const ByteView part = record.subspan(done, std::min(room, record.size() - done));
      append(part);
      done += part.size();
    }
  }

  void pad_to(Lsn end) {
    bytes_.resize(bytes_.size() + (end.value - position_.value));
    position_ = end;
  }
  void append(ByteView part) {
    bytes_.insert(bytes_.end(), part.begin(), part.end());
    position_.value += part.size();
  }

  Options options_;
  Lsn position_;
  Lsn previous_;
  uint16_t next_page_flags_ = 0;
  Bytes bytes_;
  std::vector<Placed> records_;
};

}  // namespace varve
