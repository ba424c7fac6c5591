#include "postgres/wal/decoded_record.h"

#include <fmt/format.h>

#include <bit>

#include "postgres/wal/record_parts.h"

namespace varve {
namespace {

// Reads the headers of a record's parts, which lie one after the other without padding.
class PartHeaders {
 public:
  PartHeaders(Lsn lsn, ByteView bytes) : lsn_(lsn), bytes_(bytes) {}

  template <std::unsigned_integral T>
  bool get(T& out) {
    if (bytes_.size() < sizeof out) return false;
    out = load_little<T>(bytes_.data());
    bytes_ = bytes_.subspan(sizeof out);
    return true;
  }

  ByteView rest() const { return bytes_; }

  template <typename... Args>
  Error damaged(fmt::format_string<Args...> format, Args&&... args) const {
    return make_error(ErrorCode::kCorrupted, "the WAL record at {} is damaged: {}", lsn_,
                      fmt::format(format, std::forward<Args>(args)...));
  }
  Error too_short() const { return damaged("its parts are longer than it is"); }

 private:
  Lsn lsn_;
  ByteView bytes_;
};

// Reads the header of an image, whose bytes come later: `length`.
Result<> read_image_header(PartHeaders& headers, uint8_t id, const WalFormat& format,
                           BlockImage& image, uint16_t& length) {
  uint8_t flags = 0;
  if (!headers.get(length) || !headers.get(image.hole_offset) || !headers.get(flags)) {
    return headers.too_short();
  }
  if ((flags & ~format.image_flags()) != 0) {
    return headers.damaged("the image of block reference {} has the flags {:02x}", id, flags);
  }
  const uint8_t method = flags & (format.image_pglz | format.image_lz4 | format.image_zstd);
  if (std::popcount(method) > 1) {
    return headers.damaged("the image of block reference {} is compressed in two ways", id);
  }
  image.compression = method == 0                   ? ImageCompression::kNone
                      : method == format.image_pglz ? ImageCompression::kPglz
                      : method == format.image_lz4  ? ImageCompression::kLz4
                                                    : ImageCompression::kZstd;
  image.apply = (flags & format.image_apply) != 0;
  const bool has_hole = (flags & format.image_has_hole) != 0;
  const bool compressed = method != 0;
  if (compressed && has_hole) {
    if (!headers.get(image.hole_length)) return headers.too_short();
  } else {
    // Of an uncompressed image the hole is what lacks.
    image.hole_length = compressed || length > kBlockSize
                            ? uint16_t{0}
                            : static_cast<uint16_t>(kBlockSize - length);
  }
  const bool hole_fits = has_hole
                             ? image.hole_offset > 0 && image.hole_length > 0 &&
                                   uint32_t{image.hole_offset} + image.hole_length <= kBlockSize
                             : image.hole_offset == 0 && image.hole_length == 0;
  const bool length_fits = compressed || has_hole ? length < kBlockSize : length == kBlockSize;
  if (!hole_fits || !length_fits) {
    return headers.damaged(
        "the image of block reference {} has {} bytes, a hole of {} bytes at {}, and the flags "
        "{:02x}",
        id, length, image.hole_length, image.hole_offset, flags);
  }
  return {};
}

}  // namespace

const BlockReference* DecodedRecord::find_block(uint8_t id) const {
  for (const BlockReference& block : blocks()) {
    if (block.id == id) return &block;
  }
  return nullptr;
}

Result<> DecodedRecord::decode(const WalRecord& record, const WalFormat& format) {
  record_ = record;
  block_count_ = 0;
  main_data_ = {};
  origin_ = 0;
  top_level_transaction_ = 0;

  PartHeaders headers(record.start, record.bytes);
  if (record.bytes.size() < kWalRecordHeaderSize) return headers.too_short();
  header_ = WalRecordHeader::load(record.bytes);
  if (header_.total_length != record.bytes.size()) {
    return headers.damaged("it claims {} bytes and has {}", header_.total_length,
                           record.bytes.size());
  }
  headers = PartHeaders(record.start, record.bytes.subspan(kWalRecordHeaderSize));

  // All headers come before all data. The bytes of images and data are not known before: until
  // then, their lengths.
  struct Lengths {
    uint16_t image;
    uint16_t data;
  };
  std::array<Lengths, kMaximumBlocks> lengths;
  uint32_t main_data_length = 0;
  uint64_t data_total = 0;
  const RelationTag* relation = nullptr;
  bool last = false;
  while (!last && headers.rest().size() > data_total) {
    uint8_t id = 0;
    headers.get(id);
    switch (id) {
      case wal_parts::kShortDataId: {
        uint8_t length = 0;
        if (!headers.get(length)) return headers.too_short();
        main_data_length = length;
        last = true;
        break;
      }
      case wal_parts::kLongDataId:
        if (!headers.get(main_data_length)) return headers.too_short();
        last = true;
        break;
      case wal_parts::kOriginId:
        if (!headers.get(origin_)) return headers.too_short();
        break;
      case wal_parts::kTopLevelTransactionId:
        if (!headers.get(top_level_transaction_)) return headers.too_short();
        break;
      default: {
        if (id >= kMaximumBlocks) return headers.damaged("it has a part with ID {}", id);
        if (block_count_ > 0 && id <= blocks_[block_count_ - 1].id) {
          return headers.damaged("block reference {} comes after {}", id,
                                 blocks_[block_count_ - 1].id);
        }
        BlockReference& block = blocks_[block_count_];
        Lengths& length = lengths[block_count_];
        uint8_t flags = 0;
        if (!headers.get(flags) || !headers.get(length.data)) return headers.too_short();
        const uint8_t fork = flags & wal_parts::kForkMask;
        if (fork >= kForkCount) {
          return headers.damaged("block reference {} is of fork {}, which does not exist", id,
                                 fork);
        }
        if (((flags & wal_parts::kHasData) != 0) != (length.data > 0)) {
          return headers.damaged("block reference {} has {} bytes of data, and the flags {:02x}",
                                 id, length.data, flags);
        }
        block.id = id;
        block.will_init = (flags & wal_parts::kWillInit) != 0;
        block.image.reset();
        block.data = {};
        length.image = 0;
        if ((flags & wal_parts::kHasImage) != 0) {
          VARVE_TRY(read_image_header(headers, id, format, block.image.emplace(), length.image));
        }
        if ((flags & wal_parts::kSameRelation) == 0) {
          DatabaseTag& directory = block.fork.relation.directory;
          if (!headers.get(directory.tablespace) || !headers.get(directory.database) ||
              !headers.get(block.fork.relation.relation)) {
            return headers.too_short();
          }
        } else if (relation != nullptr) {
          block.fork.relation = *relation;
        } else {
          return headers.damaged("block reference {} is of the same relation as none", id);
        }
        relation = &block.fork.relation;
        block.fork.fork = static_cast<RelationFork>(fork);
        if (!headers.get(block.block)) return headers.too_short();
        data_total += length.image + length.data;
        ++block_count_;
      }
    }
  }
  data_total += main_data_length;
  ByteView data = headers.rest();
  if (data.size() != data_total) {
    return headers.damaged("its parts have {} bytes, {} are there", data_total, data.size());
  }
  const auto next = [&data](size_t length) {
    const ByteView part = data.first(length);
    data = data.subspan(length);
    return part;
  };
  for (size_t i = 0; i < block_count_; ++i) {
    if (blocks_[i].image) blocks_[i].image->bytes = next(lengths[i].image);
    blocks_[i].data = next(lengths[i].data);
  }
  main_data_ = data;
  return {};
}

}  // namespace varve
