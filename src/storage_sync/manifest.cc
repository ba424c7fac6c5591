#include "storage_sync/manifest.h"

#include <algorithm>

#include "storage_sync/manifest_fields.h"

namespace varve {

Bytes TimelineManifest::encode() const {
  ByteWriter out;
  put_manifest_head(out, ManifestKind::kTimeline);
  out.put(id.tenant);
  out.put(id.timeline);
  put_stamp(out, stamp);
  put_flag(out, deleted);
  out.put_blob(metadata.encode());
  put_layers(out, layers);
  put_retired(out, retired);
  return std::move(out).take();
}

Result<TimelineManifest> TimelineManifest::decode(ByteView bytes) {
  ByteReader in(bytes, "timeline manifest");
  TimelineManifest manifest;
  ByteView metadata;
  VARVE_TRY(check_manifest_head(in, ManifestKind::kTimeline));
  VARVE_TRY(in.get(manifest.id.tenant));
  VARVE_TRY(in.get(manifest.id.timeline));
  VARVE_TRY(get_stamp(in, manifest.stamp));
  VARVE_TRY(get_flag(in, manifest.deleted));
  VARVE_TRY(in.get_blob(metadata));
  VARVE_ASSIGN(manifest.metadata, TimelineMetadata::decode(metadata));
  const LogName log{manifest.id.tenant, manifest.id.timeline};
  VARVE_TRY(get_layers(in, log, manifest.layers));
  VARVE_TRY(get_retired(in, log, manifest.retired));
  VARVE_TRY(in.finish());
  return manifest;
}

Bytes TenantManifest::encode() const {
  ByteWriter out;
  put_manifest_head(out, ManifestKind::kTenant);
  out.put(id);
  put_stamp(out, stamp);
  out.put_string(name);
  put_time(out, created_at);
  put_flag(out, deleted);
  out.put(static_cast<uint32_t>(timelines.size()));
  for (const auto& timeline : timelines) {
    out.put(timeline.id);
    out.put_string(timeline.name);
    put_flag(out, timeline.ancestor.has_value());
    out.put(timeline.ancestor.value_or(TimelineId{}));
    out.put(timeline.ancestor_lsn);
    put_time(out, timeline.created_at);
    put_flag(out, timeline.deleted);
  }
  out.put(static_cast<uint32_t>(pins.size()));
  for (const auto& pin : pins) {
    out.put(pin.timeline);
    out.put(pin.lsn);
    put_time(out, pin.created_at);
  }
  return std::move(out).take();
}

Result<TenantManifest> TenantManifest::decode(ByteView bytes) {
  constexpr size_t kMinimumTimelineSize = 16 + 4 + 1 + 16 + 8 + 8 + 1;
  constexpr size_t kPinSize = 16 + 8 + 8;
  ByteReader in(bytes, "tenant manifest");
  TenantManifest manifest;
  uint32_t count = 0;
  VARVE_ASSIGN(const uint16_t version, get_manifest_head(in, ManifestKind::kTenant));
  VARVE_TRY(in.get(manifest.id));
  VARVE_TRY(get_stamp(in, manifest.stamp));
  VARVE_TRY(in.get_string(manifest.name));
  VARVE_TRY(get_time(in, manifest.created_at));
  // No tenant was ever deleted by who wrote the first version.
  if (version > 1) VARVE_TRY(get_flag(in, manifest.deleted));
  VARVE_TRY(in.get_count(count, kMinimumTimelineSize));
  manifest.timelines.resize(count);
  for (auto& timeline : manifest.timelines) {
    bool has_ancestor = false;
    TimelineId ancestor;
    VARVE_TRY(in.get(timeline.id));
    VARVE_TRY(in.get_string(timeline.name));
    VARVE_TRY(get_flag(in, has_ancestor));
    VARVE_TRY(in.get(ancestor));
    VARVE_TRY(in.get(timeline.ancestor_lsn));
    VARVE_TRY(get_time(in, timeline.created_at));
    VARVE_TRY(get_flag(in, timeline.deleted));
    if (has_ancestor) {
      timeline.ancestor = ancestor;
    } else if (!ancestor.is_nil()) {
      return make_error(ErrorCode::kCorrupted,
                        "the tenant manifest gives an ancestor to a timeline without one");
    }
  }
  // Nothing was ever pinned by who wrote earlier versions.
  if (version > 2) {
    VARVE_TRY(in.get_count(count, kPinSize));
    manifest.pins.resize(count);
    for (auto& pin : manifest.pins) {
      VARVE_TRY(in.get(pin.timeline));
      VARVE_TRY(in.get(pin.lsn));
      VARVE_TRY(get_time(in, pin.created_at));
    }
  }
  VARVE_TRY(in.finish());
  return manifest;
}

bool TenantManifest::is_pinned(const TimelineId& timeline, Lsn lsn) const {
  return std::ranges::any_of(
      pins, [&](const TimelinePin& pin) { return pin.timeline == timeline && pin.lsn == lsn; });
}

const TimelineRegistration* TenantManifest::find(const TimelineId& timeline) const {
  const auto found = std::ranges::find(timelines, timeline, &TimelineRegistration::id);
  return found == timelines.end() ? nullptr : &*found;
}

Bytes PackManifest::encode() const {
  ByteWriter out;
  put_manifest_head(out, ManifestKind::kPack);
  out.put(id.tenant);
  out.put(id.timeline);
  out.put(nonce);
  out.put(part);
  put_time(out, created_at);
  out.put_string(writer_version);
  put_layers(out, members);
  return std::move(out).take();
}

Result<PackManifest> PackManifest::decode(ByteView bytes) {
  ByteReader in(bytes, "pack manifest");
  PackManifest manifest;
  VARVE_TRY(check_manifest_head(in, ManifestKind::kPack));
  VARVE_TRY(in.get(manifest.id.tenant));
  VARVE_TRY(in.get(manifest.id.timeline));
  VARVE_TRY(in.get(manifest.nonce));
  VARVE_TRY(in.get(manifest.part));
  VARVE_TRY(get_time(in, manifest.created_at));
  VARVE_TRY(in.get_string(manifest.writer_version));
  VARVE_TRY(get_layers(in, {manifest.id.tenant, manifest.id.timeline}, manifest.members));
  VARVE_TRY(in.finish());
  return manifest;
}

}  // namespace varve
