#include "replication/tar_reader.h"

#include <algorithm>

namespace varve {
namespace {

constexpr size_t kBlock = 512;

// Offsets and sizes of the fields of a header.
struct Field {
  size_t offset;
  size_t size;
};
constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kSize{124, 12};
constexpr Field kChecksum{148, 8};
constexpr size_t kType = 156;
constexpr Field kLinkName{157, 100};
constexpr Field kMagic{257, 5};
constexpr Field kPrefix{345, 155};

// Old archives have a zero for '0'.
constexpr uint8_t kOldFile = 0;
constexpr uint8_t kFile = '0';
constexpr uint8_t kSymbolicLink = '2';
constexpr uint8_t kDirectory = '5';
constexpr uint8_t kLongLinkName = 'K';
constexpr uint8_t kLongPath = 'L';

// PATH_MAX of Linux: no longer name could be made a file.
constexpr uint64_t kLongestName = 4096;
// off_t: no longer file can be written.
constexpr uint64_t kLargestFile = INT64_MAX - kBlock;

ByteView bytes_of(ByteView header, Field field) {
  return header.subspan(field.offset, field.size);
}

// Up to the first zero byte, or all of the field.
std::string text_of(ByteView bytes) {
  return std::string(as_text(
      bytes.first(static_cast<size_t>(std::ranges::find(bytes, uint8_t{0}) - bytes.begin()))));
}

// Octal digits, with blanks or zeros around them; or, with the highest bit set, the number itself.
bool parse_tar_number(ByteView bytes, uint64_t& number) {
  number = 0;
  if (bytes[0] == 0x80) {
    for (const uint8_t byte : bytes.subspan(1)) {
      if (number >> 56 != 0) return false;
      number = number << 8 | byte;
    }
    return true;
  }
  size_t at = 0;
  while (at < bytes.size() && bytes[at] == ' ') ++at;
  const size_t first = at;
  for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '7'; ++at) {
    number = number << 3 | (bytes[at] - uint64_t{'0'});
  }
  if (at == first) return false;
  return std::ranges::all_of(bytes.subspan(at),
                             [](uint8_t byte) { return byte == 0 || byte == ' '; });
}

// The sum of all bytes of the header, its own field taken as blanks.
uint64_t header_checksum(ByteView header) {
  uint64_t sum = kChecksum.size * ' ';
  for (size_t i = 0; i < header.size(); ++i) {
    if (i < kChecksum.offset || i >= kChecksum.offset + kChecksum.size) sum += header[i];
  }
  return sum;
}

bool is_safe_path(std::string_view path) {
  if (path.empty() || path.size() > kLongestName) return false;
  while (true) {
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    if (part.empty() || part == "." || part == "..") return false;
    if (end == path.size()) return true;
    path.remove_prefix(end + 1);
  }
}

}  // namespace

Error TarReader::damaged(std::string_view what) const {
  return make_error(ErrorCode::kCorrupted, "the tar stream at byte {} {}", offset_, what);
}

Result<> TarReader::consume(ByteView bytes) {
  while (!bytes.empty()) {
    size_t taken = 0;
    switch (state_) {
      case State::kHeader:
        taken = std::min(bytes.size(), kBlock - header_.size());
        header_.insert(header_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(taken));
        break;
      case State::kContent:
        taken = std::min<uint64_t>(bytes.size(), remaining_);
        VARVE_TRY(sink_.content(bytes.first(taken)));
        remaining_ -= taken;
        break;
      case State::kLongName:
        taken = std::min<uint64_t>(bytes.size(), remaining_);
        long_name_->append(as_text(bytes.first(taken)));
        remaining_ -= taken;
        break;
      case State::kPadding:
        taken = std::min<uint64_t>(bytes.size(), padding_);
        padding_ -= taken;
        break;
      case State::kEnded:
        // Archives are filled up with zeros to a multiple of whatever size.
        taken = static_cast<size_t>(
            std::ranges::find_if(bytes, [](uint8_t byte) { return byte != 0; }) - bytes.begin());
        if (taken < bytes.size()) {
          offset_ += taken;
          return damaged("goes on after its end");
        }
        break;
    }
    bytes = bytes.subspan(taken);
    offset_ += taken;
    if (state_ == State::kHeader && header_.size() == kBlock) VARVE_TRY(consume_header());
    if ((state_ == State::kContent || state_ == State::kLongName) && remaining_ == 0) {
      VARVE_TRY(finish_content());
    }
    if (state_ == State::kPadding && padding_ == 0) state_ = State::kHeader;
  }
  return {};
}

Result<> TarReader::consume_header() {
  const ByteView header(header_);
  if (std::ranges::all_of(header, [](uint8_t byte) { return byte == 0; })) {
    header_.clear();
    if (++zero_blocks_ == 2) {
      if (!long_path_.empty() || !long_link_.empty()) return damaged("ends after a long name");
      state_ = State::kEnded;
    }
    return {};
  }
  if (zero_blocks_ != 0) return damaged("goes on after a block of zeros");
  uint64_t checksum = 0;
  if (!parse_tar_number(bytes_of(header, kChecksum), checksum) ||
      checksum != header_checksum(header)) {
    return damaged("has a header whose checksum does not fit");
  }
  if (as_text(bytes_of(header, kMagic)) != "ustar") return damaged("is not of the format ustar");
  uint64_t size = 0;
  if (!parse_tar_number(bytes_of(header, kSize), size) || size > kLargestFile) {
    return damaged("has a header with an impossible size");
  }
  const uint8_t type = header[kType];
  if (type == kLongPath) return begin_long_name(long_path_, size);
  if (type == kLongLinkName) return begin_long_name(long_link_, size);
  VARVE_ASSIGN(const TarEntry entry, parse_entry(type));
  return begin(entry, size);
}

Result<> TarReader::begin_long_name(std::string& name, uint64_t size) {
  if (!name.empty()) return damaged("has two long names for one entry");
  // With the zero byte at its end.
  if (size < 2 || size > kLongestName + 1) return damaged("has a long name of impossible size");
  header_.clear();
  long_name_ = &name;
  remaining_ = size;
  padding_ = (kBlock - size % kBlock) % kBlock;
  state_ = State::kLongName;
  return {};
}

Result<TarEntry> TarReader::parse_entry(uint8_t type) {
  const ByteView header(header_);
  TarEntry entry;
  switch (type) {
    case kOldFile:
    case kFile:
      entry.type = TarEntry::Type::kFile;
      break;
    case kDirectory:
      entry.type = TarEntry::Type::kDirectory;
      break;
    case kSymbolicLink:
      entry.type = TarEntry::Type::kSymbolicLink;
      break;
    default:
      return damaged(fmt::format("has an entry of the unknown type 0x{:02x}", type));
  }
  entry.path = std::exchange(long_path_, {});
  if (entry.path.empty()) {
    const std::string prefix = text_of(bytes_of(header, kPrefix));
    entry.path = text_of(bytes_of(header, kName));
    if (!prefix.empty()) entry.path = fmt::format("{}/{}", prefix, entry.path);
  }
  // What the server makes itself, such as pg_wal/archive_status, it names from "./" on.
  if (entry.path.starts_with("./")) entry.path.erase(0, 2);
  // tarCreateHeader puts a slash behind the names of directories and of symbolic links.
  if (entry.type != TarEntry::Type::kFile && entry.path.ends_with('/')) entry.path.pop_back();
  if (!is_safe_path(entry.path)) return damaged("has a name that leads out of its directory");
  uint64_t mode = 0;
  if (!parse_tar_number(bytes_of(header, kMode), mode)) return damaged("has an impossible mode");
  entry.mode = static_cast<uint32_t>(mode & 07777);
  const std::string long_link = std::exchange(long_link_, {});
  if (entry.type == TarEntry::Type::kSymbolicLink) {
    entry.link_target = long_link.empty() ? text_of(bytes_of(header, kLinkName)) : long_link;
    if (entry.link_target.empty()) return damaged("has a symbolic link without a target");
  }
  return entry;
}

Result<> TarReader::begin(const TarEntry& entry, uint64_t size) {
  TarEntry sized = entry;
  header_.clear();
  if (entry.type == TarEntry::Type::kFile) {
    sized.size = size;
  } else if (size != 0) {
    return damaged("has content for something that is not a file");
  }
  remaining_ = sized.size;
  padding_ = (kBlock - sized.size % kBlock) % kBlock;
  state_ = State::kContent;
  return sink_.begin_entry(sized);
}

Result<> TarReader::finish_content() {
  if (state_ == State::kLongName) {
    // Up to the zero byte at its end; one that has others is no name.
    if (long_name_->back() != '\0') return damaged("has a long name without an end");
    long_name_->pop_back();
    if (long_name_->find('\0') != std::string::npos) return damaged("has a long name with zeros");
    long_name_ = nullptr;
  } else {
    VARVE_TRY(sink_.end_entry());
  }
  state_ = State::kPadding;
  return {};
}

Result<> TarReader::finish() const {
  if (state_ == State::kEnded) return {};
  return damaged("breaks off");
}

}  // namespace varve
