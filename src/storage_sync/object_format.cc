#include "storage_sync/object_format.h"

#include <algorithm>

#include "base/checksum.h"

namespace varve {
namespace {

constexpr std::string_view kHeaderMagic = "VARVEOBJ";
constexpr std::string_view kTrailerMagic = "VARVEEND";
constexpr size_t kEncryptionKeyIdSize = 12;
constexpr size_t kTrailerReservedSize = 13;
constexpr size_t kFrameEntrySize = 28;
constexpr uint32_t kFrameTableMagic = 0x42544656;  // "VFTB"
constexpr size_t kFrameTableHeaderSize = 8;

Result<ObjectKind> decode_kind(uint8_t value) {
  if (value < static_cast<uint8_t>(ObjectKind::kTenantArchive) ||
      value > static_cast<uint8_t>(ObjectKind::kPack)) {
    return make_error(ErrorCode::kCorrupted, "the object has the unknown kind {}", value);
  }
  return static_cast<ObjectKind>(value);
}

Result<> check_version(uint16_t version) {
  if (version == kObjectFormatVersion) return {};
  return make_error(ErrorCode::kCorrupted,
                    "the object has format version {}, this program reads version {}", version,
                    kObjectFormatVersion);
}

bool all_zeros(ByteView bytes) {
  return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
}

Bytes trailer_fields(const ObjectTrailer& trailer) {
  ByteWriter out;
  out.put(trailer.object_size);
  out.put(trailer.manifest_offset);
  out.put(trailer.manifest_stored_size);
  out.put(trailer.manifest_raw_size);
  out.put(trailer.manifest_checksum);
  out.put(kObjectFormatVersion);
  out.put(static_cast<uint8_t>(trailer.kind));
  out.put_zeros(kTrailerReservedSize);
  return std::move(out).take();
}

}  // namespace

Bytes encode_object_header(ObjectKind kind) {
  ByteWriter out;
  out.put_raw(as_bytes(kHeaderMagic));
  out.put(kObjectFormatVersion);
  out.put(static_cast<uint8_t>(kind));
  out.put(uint8_t{0});  // Encryption algorithm: none.
  out.put_zeros(kEncryptionKeyIdSize);
  out.put(checksum64(out.view()));
  return std::move(out).take();
}

Result<ObjectKind> decode_object_header(ByteView header) {
  ByteReader in(header, "object header");
  VARVE_ASSIGN(const ByteView magic, in.take(kHeaderMagic.size()));
  if (as_text(magic) != kHeaderMagic) {
    return make_error(ErrorCode::kCorrupted, "the object does not begin with {}", kHeaderMagic);
  }
  uint16_t version = 0;
  uint8_t kind = 0;
  uint8_t encryption = 0;
  uint64_t checksum = 0;
  VARVE_TRY(in.get(version));
  VARVE_TRY(in.get(kind));
  VARVE_TRY(in.get(encryption));
  VARVE_ASSIGN(const ByteView key_id, in.take(kEncryptionKeyIdSize));
  const size_t covered = in.offset();
  VARVE_TRY(in.get(checksum));
  VARVE_TRY(in.finish());
  if (checksum != checksum64(header.first(covered))) {
    return make_error(ErrorCode::kCorrupted, "the header's checksum does not match");
  }
  VARVE_TRY(check_version(version));
  if (encryption != 0 || !all_zeros(key_id)) {
    return make_error(ErrorCode::kCorrupted,
                      "the object is encrypted with the unknown algorithm {}", encryption);
  }
  return decode_kind(kind);
}

Result<> check_object_header(ByteView header, ObjectKind expected) {
  VARVE_ASSIGN(const ObjectKind kind, decode_object_header(header));
  if (kind == expected) return {};
  return make_error(ErrorCode::kCorrupted, "its header says that it is a {}, not a {}", name(kind),
                    name(expected));
}

uint64_t ObjectTrailer::checksum() const {
  return checksum64(trailer_fields(*this));
}

Bytes ObjectTrailer::encode() const {
  ByteWriter out;
  const Bytes fields = trailer_fields(*this);
  out.put_raw(fields);
  out.put(checksum64(fields));
  out.put_raw(as_bytes(kTrailerMagic));
  return std::move(out).take();
}

Result<ObjectTrailer> ObjectTrailer::decode(ByteView bytes, uint64_t object_size) {
  if (bytes.size() != kObjectTrailerSize ||
      as_text(bytes.last(kTrailerMagic.size())) != kTrailerMagic) {
    return make_error(ErrorCode::kCorrupted, "the object does not end with a trailer");
  }
  ByteReader in(bytes, "object trailer");
  ObjectTrailer trailer;
  uint16_t version = 0;
  uint8_t kind = 0;
  uint64_t checksum = 0;
  VARVE_TRY(in.get(trailer.object_size));
  VARVE_TRY(in.get(trailer.manifest_offset));
  VARVE_TRY(in.get(trailer.manifest_stored_size));
  VARVE_TRY(in.get(trailer.manifest_raw_size));
  VARVE_TRY(in.get(trailer.manifest_checksum));
  VARVE_TRY(in.get(version));
  VARVE_TRY(in.get(kind));
  VARVE_ASSIGN(const ByteView reserved, in.take(kTrailerReservedSize));
  const size_t covered = in.offset();
  VARVE_TRY(in.get(checksum));
  if (checksum != checksum64(bytes.first(covered))) {
    return make_error(ErrorCode::kCorrupted, "the trailer's checksum does not match");
  }
  VARVE_TRY(check_version(version));
  VARVE_ASSIGN(trailer.kind, decode_kind(kind));
  if (!all_zeros(reserved)) {
    return make_error(ErrorCode::kCorrupted, "the trailer's reserved bytes are not zeros");
  }
  if (trailer.object_size != object_size) {
    return make_error(ErrorCode::kCorrupted,
                      "the object has {} bytes and was written with {}: it was cut off or extended",
                      object_size, trailer.object_size);
  }
  if (object_size < kObjectHeaderSize + kObjectTrailerSize ||
      trailer.manifest_offset < kObjectHeaderSize ||
      trailer.manifest_offset > object_size - kObjectTrailerSize ||
      trailer.manifest_stored_size != object_size - kObjectTrailerSize - trailer.manifest_offset) {
    return make_error(ErrorCode::kCorrupted, "the trailer places the manifest outside the object");
  }
  return trailer;
}

size_t frame_table_size(uint64_t raw_size) {
  return kFrameTableHeaderSize + (raw_size + kFrameSize - 1) / kFrameSize * kFrameEntrySize;
}

Bytes encode_frame_table(const FrameTable& table) {
  ByteWriter out;
  out.put(kFrameTableMagic);
  out.put(static_cast<uint32_t>(table.size()));
  for (const Frame& frame : table) {
    out.put(frame.offset);
    out.put(frame.stored_size);
    out.put(frame.raw_size);
    out.put(frame.checksum);
    out.put(static_cast<uint32_t>(frame.codec));
  }
  return std::move(out).take();
}

Result<FrameTable> decode_frame_table(ByteView bytes, uint64_t raw_size) {
  ByteReader in(bytes, "frame table");
  uint32_t magic = 0;
  uint32_t count = 0;
  VARVE_TRY(in.get(magic));
  if (magic != kFrameTableMagic) {
    return make_error(ErrorCode::kCorrupted, "the frame table does not begin with its mark");
  }
  VARVE_TRY(in.get_count(count, kFrameEntrySize));
  FrameTable table(count);
  uint64_t total = 0;
  for (Frame& frame : table) {
    uint32_t codec = 0;
    VARVE_TRY(in.get(frame.offset));
    VARVE_TRY(in.get(frame.stored_size));
    VARVE_TRY(in.get(frame.raw_size));
    VARVE_TRY(in.get(frame.checksum));
    VARVE_TRY(in.get(codec));
    const uint64_t expected = std::min<uint64_t>(kFrameSize, raw_size - total);
    if (codec > static_cast<uint32_t>(FrameCodec::kZstd) || frame.raw_size != expected ||
        frame.raw_size == 0 || frame.stored_size == 0 || frame.stored_size > frame.raw_size ||
        frame.offset < kObjectHeaderSize || frame.offset > UINT64_MAX - frame.stored_size) {
      return make_error(ErrorCode::kCorrupted,
                        "the frame table holds an impossible frame at raw byte {}", total);
    }
    frame.codec = static_cast<FrameCodec>(codec);
    total += frame.raw_size;
  }
  VARVE_TRY(in.finish());
  if (total != raw_size) {
    return make_error(ErrorCode::kCorrupted, "the frames hold {} bytes, the member has {}", total,
                      raw_size);
  }
  return table;
}

}  // namespace varve
