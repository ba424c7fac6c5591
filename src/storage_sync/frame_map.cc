#include "storage_sync/frame_map.h"

#include "storage_sync/checked_file.h"

namespace varve {
namespace {

constexpr std::string_view kMagic = "VARVEFRM";
constexpr size_t kFrameEntrySize = 1 + sizeof(uint64_t);

}  // namespace

FrameMap FrameMap::none_of(const LayerEntry& layer) {
  FrameMap map{.layer = layer, .table = std::nullopt, .frames = {}};
  map.frames.resize(frame_count(layer.size));
  return map;
}

Bytes FrameMap::encode() const {
  ByteWriter out;
  out.put_string(layer.name.to_string());
  out.put(layer.size);
  out.put_raw(layer.checksum.bytes);
  out.put_string(layer.stored.object);
  out.put(layer.stored.table_offset);
  out.put(layer.stored.table_size);
  out.put(layer.stored.table_checksum);
  out.put_blob(table ? encode_frame_table(*table) : Bytes());
  out.put(static_cast<uint32_t>(frames.size()));
  for (const auto& checksum : frames) {
    out.put(static_cast<uint8_t>(checksum ? 1 : 0));
    out.put(checksum.value_or(0));
  }
  return std::move(out).take();
}

Result<FrameMap> FrameMap::decode(ByteView bytes) {
  ByteReader in(bytes, "frame map");
  FrameMap map;
  std::string name;
  VARVE_TRY(in.get_string(name));
  auto parsed = LayerName::parse(name);
  if (!parsed.ok()) return Error(ErrorCode::kCorrupted, parsed.error().message());
  map.layer.name = *parsed;
  VARVE_TRY(in.get(map.layer.size));
  VARVE_ASSIGN(const ByteView checksum, in.take(map.layer.checksum.bytes.size()));
  std::ranges::copy(checksum, map.layer.checksum.bytes.begin());
  VARVE_TRY(in.get_string(map.layer.stored.object));
  VARVE_TRY(in.get(map.layer.stored.table_offset));
  VARVE_TRY(in.get(map.layer.stored.table_size));
  VARVE_TRY(in.get(map.layer.stored.table_checksum));
  ByteView table;
  VARVE_TRY(in.get_blob(table));
  if (!table.empty()) {
    VARVE_ASSIGN(map.table, decode_frame_table(table, map.layer.size));
  }
  uint32_t count = 0;
  VARVE_TRY(in.get_count(count, kFrameEntrySize));
  // Not frame_count(): near the largest size that would overflow.
  if (count != map.layer.size / kFrameSize + (map.layer.size % kFrameSize == 0 ? 0 : 1)) {
    return make_error(ErrorCode::kCorrupted, "the frame map has {} frames for {} bytes", count,
                      map.layer.size);
  }
  map.frames.resize(count);
  for (auto& frame : map.frames) {
    uint8_t present = 0;
    uint64_t frame_checksum = 0;
    VARVE_TRY(in.get(present));
    VARVE_TRY(in.get(frame_checksum));
    if (present > 1 || (present == 0 && frame_checksum != 0)) {
      return make_error(ErrorCode::kCorrupted, "the frame map has an impossible entry at byte {}",
                        in.offset() - kFrameEntrySize);
    }
    if (present == 1) frame = frame_checksum;
  }
  VARVE_TRY(in.finish());
  return map;
}

Result<FrameMap> FrameMap::read(const std::filesystem::path& path) {
  VARVE_ASSIGN(const Bytes body, read_checked_file(path, kMagic));
  return decode(body).context(path.string());
}

Result<> FrameMap::write(const std::filesystem::path& path) const {
  return write_checked_file(path, kMagic, encode());
}

}  // namespace varve
