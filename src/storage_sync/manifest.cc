#include "storage_sync/manifest.h"

#include <algorithm>
#include <unordered_map>

namespace varve {
namespace {

constexpr uint16_t kVersion = 1;

// Manifests of the same version differ by kind, so that one is never read as another.
enum class ManifestKind : uint8_t { kTimeline = 1, kTenant = 2, kPack = 3 };

void put_head(ByteWriter& out, ManifestKind kind) {
  out.put(kVersion);
  out.put(static_cast<uint8_t>(kind));
}

Result<> check_head(ByteReader& in, ManifestKind expected) {
  uint16_t version = 0;
  uint8_t kind = 0;
  VARVE_TRY(in.get(version));
  VARVE_TRY(in.get(kind));
  if (version != kVersion) {
    return make_error(ErrorCode::kCorrupted,
                      "the manifest has version {}, this program reads version {}", version,
                      kVersion);
  }
  if (kind != static_cast<uint8_t>(expected)) {
    return make_error(ErrorCode::kCorrupted, "the manifest is of kind {} instead of {}", kind,
                      static_cast<uint8_t>(expected));
  }
  return {};
}

void put_flag(ByteWriter& out, bool value) {
  out.put(static_cast<uint8_t>(value ? 1 : 0));
}

Result<> get_flag(ByteReader& in, bool& value) {
  uint8_t byte = 0;
  VARVE_TRY(in.get(byte));
  if (byte > 1) return make_error(ErrorCode::kCorrupted, "a flag of the manifest is {}", byte);
  value = byte == 1;
  return {};
}

void put_time(ByteWriter& out, Timestamp time) {
  out.put(static_cast<uint64_t>(time.micros));
}

Result<> get_time(ByteReader& in, Timestamp& time) {
  uint64_t micros = 0;
  VARVE_TRY(in.get(micros));
  time.micros = static_cast<int64_t>(micros);
  return {};
}

void put_stamp(ByteWriter& out, const CommitStamp& stamp) {
  out.put(stamp.sequence);
  out.put(stamp.writer);
  out.put(stamp.nonce);
  out.put(stamp.predecessor_checksum);
  put_time(out, stamp.created_at);
  out.put_string(stamp.writer_version);
}

Result<> get_stamp(ByteReader& in, CommitStamp& stamp) {
  VARVE_TRY(in.get(stamp.sequence));
  VARVE_TRY(in.get(stamp.writer));
  VARVE_TRY(in.get(stamp.nonce));
  VARVE_TRY(in.get(stamp.predecessor_checksum));
  VARVE_TRY(get_time(in, stamp.created_at));
  return in.get_string(stamp.writer_version);
}

// Layers refer to objects by number into a list of names, since many layers share an object.
class ObjectList {
 public:
  uint32_t number_of(const std::string& object) {
    const auto [found, added] = numbers_.try_emplace(object, static_cast<uint32_t>(names_.size()));
    if (added) names_.push_back(object);
    return found->second;
  }
  void put(ByteWriter& out) const {
    out.put(static_cast<uint32_t>(names_.size()));
    for (const auto& object : names_) out.put_string(object);
  }
  Result<> get(ByteReader& in) {
    uint32_t count = 0;
    VARVE_TRY(in.get_count(count, sizeof(uint32_t)));
    names_.resize(count);
    for (auto& object : names_) VARVE_TRY(in.get_string(object));
    return {};
  }
  Result<std::string> name_of(uint32_t number) const {
    if (number < names_.size()) return names_[number];
    return make_error(ErrorCode::kCorrupted, "the manifest refers to object {} of {}", number,
                      names_.size());
  }

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, uint32_t> numbers_;
};

// Bytes of one encoded layer entry.
constexpr size_t kLayerEntrySize = 2 * Key::kSize + 8 + 8 + 1 + 8 + 16 + 4 + 8 + 4 + 8;

void put_layers(ByteWriter& out, const std::vector<LayerEntry>& layers) {
  ObjectList objects;
  for (const auto& layer : layers) objects.number_of(layer.stored.object);
  objects.put(out);
  out.put(static_cast<uint32_t>(layers.size()));
  for (const auto& layer : layers) {
    out.put_raw(layer.name.keys.start.bytes);
    out.put_raw(layer.name.keys.end.bytes);
    out.put(layer.name.lsn_start);
    out.put(layer.name.lsn_end);
    put_flag(out, layer.name.is_image);
    out.put(layer.size);
    out.put_raw(layer.checksum.bytes);
    out.put(objects.number_of(layer.stored.object));
    out.put(layer.stored.table_offset);
    out.put(layer.stored.table_size);
    out.put(layer.stored.table_checksum);
  }
}

Result<> get_raw(ByteReader& in, std::span<uint8_t> out) {
  VARVE_ASSIGN(const ByteView bytes, in.take(out.size()));
  std::ranges::copy(bytes, out.begin());
  return {};
}

Result<> get_layer(ByteReader& in, const ObjectList& objects, LayerEntry& layer) {
  uint32_t object = 0;
  VARVE_TRY(get_raw(in, layer.name.keys.start.bytes));
  VARVE_TRY(get_raw(in, layer.name.keys.end.bytes));
  VARVE_TRY(in.get(layer.name.lsn_start));
  VARVE_TRY(in.get(layer.name.lsn_end));
  VARVE_TRY(get_flag(in, layer.name.is_image));
  VARVE_TRY(in.get(layer.size));
  VARVE_TRY(get_raw(in, layer.checksum.bytes));
  VARVE_TRY(in.get(object));
  VARVE_ASSIGN(layer.stored.object, objects.name_of(object));
  VARVE_TRY(in.get(layer.stored.table_offset));
  VARVE_TRY(in.get(layer.stored.table_size));
  VARVE_TRY(in.get(layer.stored.table_checksum));
  // The name must be one that a file can bear, and nothing in it may be unprintable or ambiguous.
  const auto name = LayerName::parse(layer.name.to_string());
  if (!name.ok() || *name != layer.name) {
    return make_error(ErrorCode::kCorrupted, "the manifest lists the impossible layer {}",
                      layer.name.to_string());
  }
  return {};
}

Result<> get_layers(ByteReader& in, const LogName& log, std::vector<LayerEntry>& layers) {
  ObjectList objects;
  VARVE_TRY(objects.get(in));
  uint32_t count = 0;
  VARVE_TRY(in.get_count(count, kLayerEntrySize));
  layers.resize(count);
  for (size_t i = 0; i < layers.size(); ++i) {
    VARVE_TRY(get_layer(in, objects, layers[i]));
    if (i > 0 && !(layers[i - 1].name < layers[i].name)) {
      return make_error(ErrorCode::kCorrupted, "the layers of the manifest are out of order at {}",
                        layers[i].name.to_string());
    }
    if (layers[i].stored.is_remote() &&
        !ObjectName::parse_file_name(log, layers[i].stored.object).ok()) {
      return make_error(ErrorCode::kCorrupted, "the manifest refers to an object named '{}'",
                        layers[i].stored.object);
    }
  }
  return {};
}

}  // namespace

Bytes TimelineManifest::encode() const {
  ByteWriter out;
  put_head(out, ManifestKind::kTimeline);
  out.put(id.tenant);
  out.put(id.timeline);
  put_stamp(out, stamp);
  put_flag(out, deleted);
  out.put_blob(metadata.encode());
  put_layers(out, layers);
  out.put(static_cast<uint32_t>(retired.size()));
  for (const auto& object : retired) {
    out.put_string(object.object);
    out.put(object.superseded_by);
  }
  return std::move(out).take();
}

Result<TimelineManifest> TimelineManifest::decode(ByteView bytes) {
  ByteReader in(bytes, "timeline manifest");
  TimelineManifest manifest;
  ByteView metadata;
  uint32_t retired = 0;
  VARVE_TRY(check_head(in, ManifestKind::kTimeline));
  VARVE_TRY(in.get(manifest.id.tenant));
  VARVE_TRY(in.get(manifest.id.timeline));
  VARVE_TRY(get_stamp(in, manifest.stamp));
  VARVE_TRY(get_flag(in, manifest.deleted));
  VARVE_TRY(in.get_blob(metadata));
  VARVE_ASSIGN(manifest.metadata, TimelineMetadata::decode(metadata));
  const LogName log{manifest.id.tenant, manifest.id.timeline};
  VARVE_TRY(get_layers(in, log, manifest.layers));
  VARVE_TRY(in.get_count(retired, sizeof(uint32_t) + sizeof(uint64_t)));
  manifest.retired.resize(retired);
  for (auto& object : manifest.retired) {
    VARVE_TRY(in.get_string(object.object));
    VARVE_TRY(in.get(object.superseded_by));
    if (!ObjectName::parse_file_name(log, object.object).ok()) {
      return make_error(ErrorCode::kCorrupted, "the manifest retires an object named '{}'",
                        object.object);
    }
  }
  VARVE_TRY(in.finish());
  return manifest;
}

Bytes TenantManifest::encode() const {
  ByteWriter out;
  put_head(out, ManifestKind::kTenant);
  out.put(id);
  put_stamp(out, stamp);
  out.put_string(name);
  put_time(out, created_at);
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
  return std::move(out).take();
}

Result<TenantManifest> TenantManifest::decode(ByteView bytes) {
  constexpr size_t kMinimumTimelineSize = 16 + 4 + 1 + 16 + 8 + 8 + 1;
  ByteReader in(bytes, "tenant manifest");
  TenantManifest manifest;
  uint32_t count = 0;
  VARVE_TRY(check_head(in, ManifestKind::kTenant));
  VARVE_TRY(in.get(manifest.id));
  VARVE_TRY(get_stamp(in, manifest.stamp));
  VARVE_TRY(in.get_string(manifest.name));
  VARVE_TRY(get_time(in, manifest.created_at));
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
  VARVE_TRY(in.finish());
  return manifest;
}

const TimelineRegistration* TenantManifest::find(const TimelineId& timeline) const {
  const auto found = std::ranges::find(timelines, timeline, &TimelineRegistration::id);
  return found == timelines.end() ? nullptr : &*found;
}

Bytes PackManifest::encode() const {
  ByteWriter out;
  put_head(out, ManifestKind::kPack);
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
  VARVE_TRY(check_head(in, ManifestKind::kPack));
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
