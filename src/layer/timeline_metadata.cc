#include "layer/timeline_metadata.h"

namespace varve {
namespace {

constexpr uint16_t kVersion = 1;
constexpr uint16_t kHasAncestor = 1;

}  // namespace

Bytes TimelineMetadata::encode() const {
  ByteWriter out;
  out.put(kVersion);
  out.put(static_cast<uint16_t>(ancestor ? kHasAncestor : 0));
  out.put(postgres_version);
  out.put(system_identifier);
  out.put(disk_consistent_lsn);
  out.put(previous_record_lsn);
  out.put(gc_cutoff_lsn);
  out.put(ancestor_lsn);
  out.put(ancestor.value_or(TimelineId{}));
  return std::move(out).take();
}

Result<TimelineMetadata> TimelineMetadata::decode(ByteView bytes) {
  ByteReader in(bytes, "timeline metadata");
  TimelineMetadata metadata;
  uint16_t version = 0;
  uint16_t flags = 0;
  TimelineId ancestor;
  VARVE_TRY(in.get(version));
  if (version != kVersion) {
    return make_error(ErrorCode::kCorrupted, "timeline metadata has the unknown version {}",
                      version);
  }
  VARVE_TRY(in.get(flags));
  VARVE_TRY(in.get(metadata.postgres_version));
  VARVE_TRY(in.get(metadata.system_identifier));
  VARVE_TRY(in.get(metadata.disk_consistent_lsn));
  VARVE_TRY(in.get(metadata.previous_record_lsn));
  VARVE_TRY(in.get(metadata.gc_cutoff_lsn));
  VARVE_TRY(in.get(metadata.ancestor_lsn));
  VARVE_TRY(in.get(ancestor));
  VARVE_TRY(in.finish());
  if (flags == kHasAncestor) {
    metadata.ancestor = ancestor;
  } else if (flags != 0 || !ancestor.is_nil()) {
    return make_error(ErrorCode::kCorrupted, "timeline metadata has the unknown flags {}", flags);
  }
  return metadata;
}

}  // namespace varve
