#include "storage_sync/warm_list.h"

#include "storage_sync/checked_file.h"

namespace varve {
namespace {

constexpr std::string_view kMagic = "VARVEWRM";
// IDs, the length of a name, and the time.
constexpr size_t kSmallestEntrySize =
    sizeof(TenantId) + sizeof(TimelineId) + sizeof(uint32_t) + sizeof(uint64_t);

}  // namespace

Bytes WarmList::encode() const {
  ByteWriter out;
  out.put(static_cast<uint32_t>(layers.size()));
  for (const WarmLayer& each : layers) {
    out.put(each.timeline.tenant);
    out.put(each.timeline.timeline);
    out.put_string(each.layer.to_string());
    out.put(static_cast<uint64_t>(each.used.micros));
  }
  return std::move(out).take();
}

Result<WarmList> WarmList::decode(ByteView bytes) {
  ByteReader in(bytes, "list of warm layers");
  uint32_t count = 0;
  VARVE_TRY(in.get_count(count, kSmallestEntrySize));
  WarmList list;
  list.layers.resize(count);
  for (WarmLayer& each : list.layers) {
    std::string name;
    VARVE_TRY(in.get(each.timeline.tenant));
    VARVE_TRY(in.get(each.timeline.timeline));
    VARVE_TRY(in.get_string(name));
    uint64_t used = 0;
    VARVE_TRY(in.get(used));
    each.used.micros = static_cast<int64_t>(used);
    const auto parsed = LayerName::parse(name);
    if (!parsed.ok()) return Error(ErrorCode::kCorrupted, parsed.error().message());
    each.layer = *parsed;
  }
  VARVE_TRY(in.finish());
  return list;
}

Result<WarmList> WarmList::read(const std::filesystem::path& path) {
  VARVE_ASSIGN(const Bytes body, read_checked_file(path, kMagic));
  return decode(body).context(path.string());
}

Result<> WarmList::write(const std::filesystem::path& path) const {
  return write_checked_file(path, kMagic, encode());
}

}  // namespace varve
