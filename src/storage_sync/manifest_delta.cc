#include "storage_sync/manifest_delta.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "storage_sync/manifest_fields.h"

namespace varve {
namespace {

Result<uint64_t> sequence_of_base(const LogName& log, const ManifestBase& base) {
  const auto name = ObjectName::parse_file_name(log, base.object);
  if (name.ok() && name->kind == ObjectKind::kTimelineArchive) return name->sequence;
  return make_error(ErrorCode::kCorrupted, "the manifest is a delta of an object named '{}'",
                    base.object);
}

Result<> get_removed_layers(ByteReader& in, std::vector<LayerName>& layers) {
  uint32_t count = 0;
  VARVE_TRY(in.get_count(count, kLayerNameSize));
  layers.resize(count);
  for (size_t i = 0; i < layers.size(); ++i) {
    VARVE_TRY(get_layer_name(in, layers[i]));
    if (i > 0 && !(layers[i - 1] < layers[i])) {
      return make_error(ErrorCode::kCorrupted, "the removed layers are out of order at {}",
                        layers[i].to_string());
    }
  }
  return {};
}

Result<> get_removed_retired(ByteReader& in, const LogName& log,
                             std::vector<std::string>& objects) {
  uint32_t count = 0;
  VARVE_TRY(in.get_count(count, sizeof(uint32_t)));
  objects.resize(count);
  for (size_t i = 0; i < objects.size(); ++i) {
    VARVE_TRY(in.get_string(objects[i]));
    if (!ObjectName::parse_file_name(log, objects[i]).ok() ||
        (i > 0 && objects[i - 1] >= objects[i])) {
      return make_error(ErrorCode::kCorrupted,
                        "the list of objects that are retired no longer is wrong at '{}'",
                        objects[i]);
    }
  }
  return {};
}

// Fails for the first of `removed` that is none of the layers.
Result<> remove_layers(std::vector<LayerEntry>& layers, const std::vector<LayerName>& removed) {
  auto next = removed.begin();
  std::erase_if(layers, [&](const LayerEntry& layer) {
    if (next == removed.end() || *next != layer.name) return false;
    ++next;
    return true;
  });
  if (next == removed.end()) return {};
  return make_error(ErrorCode::kCorrupted, "the delta removes layer {}, which its base lacks",
                    next->to_string());
}

std::vector<LayerEntry> merge_layers(std::vector<LayerEntry> base,
                                     const std::vector<LayerEntry>& added) {
  std::vector<LayerEntry> merged;
  merged.reserve(base.size() + added.size());
  auto next = added.begin();
  for (LayerEntry& layer : base) {
    while (next != added.end() && next->name < layer.name) merged.push_back(*next++);
    const bool replaced = next != added.end() && next->name == layer.name;
    merged.push_back(replaced ? *next++ : std::move(layer));
  }
  merged.insert(merged.end(), next, added.end());
  return merged;
}

Result<> change_retired(std::vector<RetiredObject>& retired, const TimelineManifestDelta& delta) {
  const std::unordered_set<std::string_view> removed(delta.removed_retired.begin(),
                                                     delta.removed_retired.end());
  std::unordered_set<std::string_view> found;
  std::erase_if(retired, [&](const RetiredObject& object) {
    const auto name = removed.find(object.object);
    if (name != removed.end()) found.insert(*name);
    return name != removed.end();
  });
  for (const std::string& object : delta.removed_retired) {
    if (found.contains(object)) continue;
    return make_error(ErrorCode::kCorrupted, "the delta drops object {}, which its base lacks",
                      object);
  }
  retired.insert(retired.end(), delta.added_retired.begin(), delta.added_retired.end());
  std::ranges::sort(retired);
  std::unordered_set<std::string_view> seen;
  for (const RetiredObject& object : retired) {
    if (!seen.insert(object.object).second) {
      return make_error(ErrorCode::kCorrupted, "the delta retires object {} once more",
                        object.object);
    }
  }
  return {};
}

}  // namespace

Bytes TimelineManifestDelta::encode() const {
  ByteWriter out;
  put_manifest_head(out, ManifestKind::kTimelineDelta);
  out.put(id.tenant);
  out.put(id.timeline);
  put_stamp(out, stamp);
  out.put_string(base.object);
  out.put(base.checksum);
  out.put_blob(metadata.encode());
  out.put(static_cast<uint32_t>(removed_layers.size()));
  for (const LayerName& layer : removed_layers) put_layer_name(out, layer);
  put_layers(out, added_layers);
  out.put(static_cast<uint32_t>(removed_retired.size()));
  for (const std::string& object : removed_retired) out.put_string(object);
  put_retired(out, added_retired);
  return std::move(out).take();
}

Result<TimelineManifestDelta> TimelineManifestDelta::decode(ByteView bytes) {
  ByteReader in(bytes, "timeline manifest delta");
  TimelineManifestDelta delta;
  ByteView metadata;
  VARVE_TRY(check_manifest_head(in, ManifestKind::kTimelineDelta));
  VARVE_TRY(in.get(delta.id.tenant));
  VARVE_TRY(in.get(delta.id.timeline));
  const LogName log{delta.id.tenant, delta.id.timeline};
  VARVE_TRY(get_stamp(in, delta.stamp));
  VARVE_TRY(in.get_string(delta.base.object));
  VARVE_TRY(in.get(delta.base.checksum));
  VARVE_ASSIGN(const uint64_t base_sequence, sequence_of_base(log, delta.base));
  if (base_sequence >= delta.stamp.sequence) {
    return make_error(ErrorCode::kCorrupted, "the manifest of number {} is a delta of number {}",
                      delta.stamp.sequence, base_sequence);
  }
  VARVE_TRY(in.get_blob(metadata));
  VARVE_ASSIGN(delta.metadata, TimelineMetadata::decode(metadata));
  VARVE_TRY(get_removed_layers(in, delta.removed_layers));
  VARVE_TRY(get_layers(in, log, delta.added_layers));
  VARVE_TRY(get_removed_retired(in, log, delta.removed_retired));
  VARVE_TRY(get_retired(in, log, delta.added_retired));
  VARVE_TRY(in.finish());
  return delta;
}

TimelineManifestDelta difference(const ManifestBase& reference, const TimelineManifest& base,
                                 const TimelineManifest& next) {
  TimelineManifestDelta delta{
      .id = next.id, .stamp = next.stamp, .base = reference, .metadata = next.metadata};
  auto before = base.layers.begin();
  for (const LayerEntry& layer : next.layers) {
    for (; before != base.layers.end() && before->name < layer.name; ++before) {
      delta.removed_layers.push_back(before->name);
    }
    if (before == base.layers.end() || layer.name < before->name) {
      delta.added_layers.push_back(layer);
    } else if (*before++ != layer) {
      delta.added_layers.push_back(layer);
    }
  }
  for (; before != base.layers.end(); ++before) delta.removed_layers.push_back(before->name);

  std::unordered_map<std::string_view, uint64_t> superseded;
  for (const RetiredObject& object : base.retired) {
    superseded.emplace(object.object, object.superseded_by);
  }
  for (const RetiredObject& object : next.retired) {
    const auto found = superseded.find(object.object);
    if (found != superseded.end() && found->second == object.superseded_by) {
      superseded.erase(found);
    } else {
      delta.added_retired.push_back(object);
    }
  }
  for (const auto& [object, sequence] : superseded) delta.removed_retired.emplace_back(object);
  std::ranges::sort(delta.removed_retired);
  return delta;
}

Result<TimelineManifest> apply(const TimelineManifestDelta& delta, TimelineManifest base) {
  const LogName log{delta.id.tenant, delta.id.timeline};
  VARVE_ASSIGN(const uint64_t base_sequence, sequence_of_base(log, delta.base));
  if (base.id != delta.id || base.stamp.sequence != base_sequence || base.deleted) {
    return make_error(ErrorCode::kCorrupted,
                      "the delta was made from number {} of timeline {}, not from number {} of {}",
                      base_sequence, delta.id, base.stamp.sequence, base.id);
  }
  VARVE_TRY(remove_layers(base.layers, delta.removed_layers));
  VARVE_TRY(change_retired(base.retired, delta));
  base.layers = merge_layers(std::move(base.layers), delta.added_layers);
  base.stamp = delta.stamp;
  base.metadata = delta.metadata;
  return base;
}

}  // namespace varve
