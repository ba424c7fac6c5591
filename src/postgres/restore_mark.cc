#include "postgres/restore_mark.h"

#include <algorithm>

namespace varve {
namespace {

constexpr std::string_view kMagic = "VARVERES";

}  // namespace

Bytes RestoreMark::encode() const {
  ByteWriter out;
  out.put_raw(as_bytes(kMagic));
  out.put(timeline.tenant);
  out.put(timeline.timeline);
  out.put(lsn);
  return std::move(out).take();
}

std::optional<RestoreMark> RestoreMark::find(const DecodedRecord& record) {
  if (record.header().resource_manager != kXlogResourceManager ||
      record.header().record_type() != kRecordType || record.main_data().size() != kSize ||
      !std::ranges::equal(record.main_data().first(kMagic.size()), as_bytes(kMagic))) {
    return {};
  }
  ByteReader in(record.main_data().subspan(kMagic.size()), "restore mark");
  RestoreMark mark;
  // The size is right, so nothing is missing.
  if (!in.get(mark.timeline.tenant).ok() || !in.get(mark.timeline.timeline).ok() ||
      !in.get(mark.lsn).ok()) {
    return {};
  }
  return mark;
}

}  // namespace varve
