#include "postgres/wal/stream_decoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "postgres/wal_segment.h"

namespace varve {
namespace {

// src/include/catalog/pg_control.h.
constexpr uint8_t kSwitch = 0x40;               // XLOG_SWITCH
constexpr uint8_t kOverwriteContrecord = 0xD0;  // XLOG_OVERWRITE_CONTRECORD
// MaxAllocSize of src/include/utils/memutils.h: no server can read a longer record.
constexpr uint32_t kMaximumRecordLength = 0x3FFFFFFF;

constexpr size_t kLengthSize = sizeof(uint32_t);

}  // namespace

template <typename... Args>
Error WalStreamDecoder::stop_at(Lsn position, WalStop why, fmt::format_string<Args...> format,
                                Args&&... args) {
  // Where a page lacks amid a record, the record is what is not valid.
  stop_position_ = is_partial_ ? record_start_ : position;
  stop_ = why;
  return {ErrorCode::kCorrupted,
          "the WAL is not valid: " + fmt::format(format, std::forward<Args>(args)...)};
}

template <typename... Args>
Error WalStreamDecoder::refuse(Lsn page, fmt::format_string<Args...> format, Args&&... args) {
  stop_position_ = page;
  stop_ = WalStop::kInvalid;
  return make_error(ErrorCode::kInvalidArgument, format, std::forward<Args>(args)...);
}

Result<WalStreamDecoder> WalStreamDecoder::create(const WalStreamOptions& options) {
  if (!is_valid_wal_segment_size(options.wal_segment_size)) {
    return make_error(ErrorCode::kInvalidArgument, "{} is not a size of WAL segments",
                      options.wal_segment_size);
  }
  const Lsn position = options.position;
  const bool page_starts = position.valid() && position.value % kWalBlockSize == 0;
  const bool record_may_start = options.start == WalStreamOptions::Start::kRecord &&
                                is_wal_record_position(position, options.wal_segment_size);
  if (!page_starts && !record_may_start) {
    return make_error(ErrorCode::kInvalidArgument, "no WAL {} can start at {}",
                      options.start == WalStreamOptions::Start::kRecord ? "record" : "page",
                      position);
  }
  return WalStreamDecoder(options);
}

WalStreamDecoder::WalStreamDecoder(const WalStreamOptions& options)
    : options_(options),
      position_(options.position),
      skip_to_(options.position),
      previous_record_(options.previous_record),
      searches_(options.start == WalStreamOptions::Start::kPage) {}

Result<std::optional<WalRecord>> WalStreamDecoder::next(ByteView& input) {
  if (failure_) [[unlikely]] {
    return *failure_;
  }
  auto result = advance(input);
  if (!result.ok()) failure_ = result.error();
  return result;
}

Lsn WalStreamDecoder::next_record() const {
  return is_partial_ ? record_start_ : std::max(position_, skip_to_);
}

ByteView WalStreamDecoder::take(ByteView& input, uint64_t at_most) {
  const ByteView taken = input.first(std::min<uint64_t>(at_most, input.size()));
  input = input.subspan(taken.size());
  position_.value += taken.size();
  return taken;
}

Result<std::optional<WalRecord>> WalStreamDecoder::advance(ByteView& input) {
  while (true) {
    if (position_ < skip_to_) {
      take(input, skip_to_.value - position_.value);
      if (position_ < skip_to_) return std::nullopt;
    }
    if (page_header_size_ > 0 || position_.value % kWalBlockSize == 0) {
      VARVE_ASSIGN(const bool complete, read_page_header(input));
      if (!complete) return std::nullopt;
      continue;
    }
    const uint64_t room = kWalBlockSize - position_.value % kWalBlockSize;
    if (continuation_ > 0) {
      continuation_ -= take(input, std::min<uint64_t>(continuation_, room)).size();
      if (continuation_ == 0) skip_to_ = {align_maximally(position_.value)};
      if (input.empty()) return std::nullopt;
      continue;
    }
    if (input.empty()) return std::nullopt;

    if (!is_partial_) {
      record_start_ = position_;
      // Most records lie in one chunk and one page, and are given as they lie.
      if (std::min<uint64_t>(room, input.size()) >= kWalRecordHeaderSize) {
        VARVE_TRY(check_header(input));
        const auto length = load_little<uint32_t>(input.data());
        if (length <= room && length <= input.size()) return finish_record(take(input, length));
      }
      partial_.clear();
      is_partial_ = true;
    }
    // The length is needed first, then the header, then the rest; and each must be checked before
    // the next is believed.
    const size_t before = partial_.size();
    const size_t wanted = before < kLengthSize            ? kLengthSize
                          : before < kWalRecordHeaderSize ? kWalRecordHeaderSize
                                                          : load_little<uint32_t>(partial_.data());
    const ByteView taken = take(input, std::min<uint64_t>(wanted - before, room));
    partial_.insert(partial_.end(), taken.begin(), taken.end());
    if (partial_.size() < wanted) continue;
    const auto length = load_little<uint32_t>(partial_.data());
    if (wanted == kLengthSize) VARVE_TRY(check_length(length));
    if (wanted == kWalRecordHeaderSize) VARVE_TRY(check_header(partial_));
    if (partial_.size() == length) return finish_record(partial_);
  }
}

Result<bool> WalStreamDecoder::read_page_header(ByteView& input) {
  const Lsn page{position_.value - page_header_size_};
  const size_t size = wal_page_header_size(page, options_.wal_segment_size);
  const ByteView taken = take(input, size - page_header_size_);
  std::copy(taken.begin(), taken.end(), page_header_.begin() + page_header_size_);
  page_header_size_ += taken.size();
  if (page_header_size_ < size) return false;
  page_header_size_ = 0;
  VARVE_TRY(check_page_header(page, ByteView(page_header_).first(size)));
  return true;
}

Result<> WalStreamDecoder::check_page_header(Lsn page, ByteView bytes) {
  const WalPageHeader header = WalPageHeader::load(bytes);
  if (header.magic != options_.format->page_magic) {
    if (std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; })) {
      return stop_at(page, WalStop::kUnwritten, "there is no page at {}, only zeros", page);
    }
    if (const auto release = release_of_wal_magic(header.magic)) {
      return refuse(page, "the WAL page at {} is of {}, not of PostgreSQL {}", page, *release,
                    options_.format->major_version);
    }
    return stop_at(page, WalStop::kInvalid, "the page at {} has the magic number {:04x}", page,
                   header.magic);
  }
  const bool is_long = bytes.size() == kLongWalPageHeaderSize;
  if ((header.flags & ~WalPageHeader::kAllFlags) != 0 ||
      ((header.flags & WalPageHeader::kLong) != 0) != is_long) {
    return stop_at(page, WalStop::kInvalid, "the page at {} has the flags {:04x}", page,
                   header.flags);
  }
  if (is_long) {
    const auto other = [&](std::string_view what, auto found, auto expected) {
      return refuse(page, "the WAL page at {} is of another cluster: its {} is {}, not {}", page,
                    what, found, expected);
    };
    if (options_.system_identifier != 0 && header.system_identifier != options_.system_identifier) {
      return other("system identifier", header.system_identifier, options_.system_identifier);
    }
    if (header.wal_segment_size != options_.wal_segment_size) {
      return other("segment size", header.wal_segment_size, options_.wal_segment_size);
    }
    if (header.wal_block_size != kWalBlockSize) {
      return other("block size", header.wal_block_size, kWalBlockSize);
    }
  }
  if (header.address != page) {
    return stop_at(page, header.address < page ? WalStop::kRecycled : WalStop::kInvalid,
                   "the page at {} is that of {}", page, header.address);
  }
  if (header.timeline == 0 || header.timeline < timeline_) {
    return stop_at(page, WalStop::kInvalid,
                   "the page at {} is of timeline {}, what comes before it of {}", page,
                   header.timeline, timeline_);
  }
  if (options_.timeline != 0 && header.timeline > options_.timeline) {
    return refuse(page, "the WAL page at {} is of timeline {}, but timeline {} is followed", page,
                  header.timeline, options_.timeline);
  }
  timeline_ = header.timeline;
  return check_continuation(page, header);
}

Result<> WalStreamDecoder::check_continuation(Lsn page, const WalPageHeader& header) {
  const bool continues = (header.flags & WalPageHeader::kFirstIsContinuation) != 0;
  if ((header.flags & WalPageHeader::kFirstIsOverwrite) != 0) {
    // A crash left a record without its end; the server wrote this page where the end would be.
    if (is_partial_) {
      overwritten_ = record_start_;
      expects_overwrite_ = true;
      is_partial_ = false;
    }
    continuation_ = 0;
  }
  if (is_partial_) {
    const auto length = load_little<uint32_t>(partial_.data());
    if (!continues) {
      return stop_at(record_start_, WalStop::kInvalid,
                     "the record at {} of {} bytes is not continued on the page at {}",
                     record_start_, length, page);
    }
    if (header.remaining_length == 0 || length - partial_.size() != header.remaining_length) {
      return stop_at(record_start_, WalStop::kInvalid,
                     "the record at {} is continued on the page at {} with {} bytes, not {}",
                     record_start_, page, header.remaining_length, length - partial_.size());
    }
  } else if (searches_) {
    if (continues) continuation_ = header.remaining_length;
  } else if (continuation_ > 0) {
    if (!continues || header.remaining_length != continuation_) {
      return stop_at(page, WalStop::kInvalid,
                     "the page at {} does not continue the record of the page before", page);
    }
  } else if (continues) {
    return stop_at(page, WalStop::kInvalid, "the page at {} continues a record that did not begin",
                   page);
  }
  searches_ = false;
  return {};
}

Result<> WalStreamDecoder::check_length(uint32_t length) {
  if (length == 0) {
    return stop_at(record_start_, WalStop::kUnwritten, "there is no record at {}, only zeros",
                   record_start_);
  }
  if (length < kWalRecordHeaderSize || length > kMaximumRecordLength) {
    return stop_at(record_start_, WalStop::kInvalid, "the record at {} claims {} bytes",
                   record_start_, length);
  }
  return {};
}

Result<> WalStreamDecoder::check_header(ByteView record) {
  const WalRecordHeader header = WalRecordHeader::load(record);
  VARVE_TRY(check_length(header.total_length));
  if (header.resource_manager >= options_.format->resource_managers.size() &&
      header.resource_manager < kFirstCustomResourceManager) {
    return stop_at(record_start_, WalStop::kInvalid,
                   "the record at {} is of resource manager {}, which does not exist",
                   record_start_, header.resource_manager);
  }
  // A record from before a page was written over may be valid but for this link.
  const bool linked = previous_record_.valid() ? header.previous == previous_record_
                                               : header.previous < record_start_;
  if (!linked) {
    return stop_at(record_start_, WalStop::kInvalid,
                   "the record at {} follows one at {}, the last one was at {}", record_start_,
                   header.previous, previous_record_);
  }
  return {};
}

Result<WalRecord> WalStreamDecoder::finish_record(ByteView bytes) {
  const WalRecordHeader header = WalRecordHeader::load(bytes);
  if (wal_record_crc(bytes) != header.crc) {
    return stop_at(record_start_, WalStop::kInvalid, "the CRC of the record at {} does not match",
                   record_start_);
  }
  if (expects_overwrite_) VARVE_TRY(check_overwrite(bytes, header));
  uint64_t end = align_maximally(position_.value);
  if (header.resource_manager == kXlogResourceManager && header.record_type() == kSwitch) {
    // The rest of the segment is left empty.
    const uint64_t size = options_.wal_segment_size;
    end = (end + size - 1) / size * size;
  }
  skip_to_ = {end};
  is_partial_ = false;
  previous_record_ = record_start_;
  return WalRecord{.start = record_start_, .end = {end}, .bytes = bytes};
}

Result<> WalStreamDecoder::check_overwrite(ByteView record, const WalRecordHeader& header) {
  // xl_overwrite_contrecord behind the two bytes that announce its length.
  constexpr size_t kOverwrittenOffset = kWalRecordHeaderSize + 2;
  if (header.resource_manager != kXlogResourceManager ||
      header.record_type() != kOverwriteContrecord ||
      record.size() < kOverwrittenOffset + sizeof(uint64_t) ||
      load_little<uint64_t>(&record[kOverwrittenOffset]) != overwritten_.value) {
    return stop_at(record_start_, WalStop::kInvalid,
                   "the record at {} does not replace the one at {}, which has no end",
                   record_start_, overwritten_);
  }
  expects_overwrite_ = false;
  return {};
}

}  // namespace varve
