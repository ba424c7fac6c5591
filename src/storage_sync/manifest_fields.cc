#include "storage_sync/manifest_fields.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/copy_bytes.h"

namespace varve {
namespace {

// Tenant manifests say since version 2 whether the tenant was deleted, and name pins since 3.
constexpr uint16_t newest_version(ManifestKind kind) {
  return kind == ManifestKind::kTenant ? 3 : 1;
}
constexpr size_t kManifestHeadSize = 3;
constexpr size_t kLayerEntrySize = kLayerNameSize + 8 + 16 + 4 + 8 + 4 + 8;

Result<> get_raw(ByteReader& in, std::span<uint8_t> out) {
  VARVE_ASSIGN(const ByteView bytes, in.take(out.size()));
  copy_bytes(bytes, out);
  return {};
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

Result<> get_layer(ByteReader& in, const ObjectList& objects, LayerEntry& layer) {
  uint32_t object = 0;
  VARVE_TRY(get_layer_name(in, layer.name));
  VARVE_TRY(in.get(layer.size));
  VARVE_TRY(get_raw(in, layer.checksum.bytes));
  VARVE_TRY(in.get(object));
  VARVE_ASSIGN(layer.stored.object, objects.name_of(object));
  VARVE_TRY(in.get(layer.stored.table_offset));
  VARVE_TRY(in.get(layer.stored.table_size));
  VARVE_TRY(in.get(layer.stored.table_checksum));
  return {};
}

}  // namespace

void put_manifest_head(ByteWriter& out, ManifestKind kind) {
  out.put(newest_version(kind));
  out.put(static_cast<uint8_t>(kind));
}

Result<> check_manifest_head(ByteReader& in, ManifestKind expected) {
  VARVE_TRY(get_manifest_head(in, expected));
  return {};
}

Result<uint16_t> get_manifest_head(ByteReader& in, ManifestKind expected) {
  uint16_t version = 0;
  uint8_t kind = 0;
  VARVE_TRY(in.get(version));
  VARVE_TRY(in.get(kind));
  if (kind != static_cast<uint8_t>(expected)) {
    return make_error(ErrorCode::kCorrupted, "the manifest is of kind {} instead of {}", kind,
                      static_cast<uint8_t>(expected));
  }
  if (version < 1 || newest_version(expected) < version) {
    return make_error(ErrorCode::kCorrupted,
                      "the manifest has version {}, this program reads versions up to {}", version,
                      newest_version(expected));
  }
  return version;
}

bool is_manifest_of(ManifestKind kind, ByteView bytes) {
  return bytes.size() >= kManifestHeadSize &&
         bytes[kManifestHeadSize - 1] == static_cast<uint8_t>(kind);
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

void put_layer_name(ByteWriter& out, const LayerName& name) {
  out.put_raw(name.keys.start.bytes);
  out.put_raw(name.keys.end.bytes);
  out.put(name.lsn_start);
  out.put(name.lsn_end);
  put_flag(out, name.is_image);
}

Result<> get_layer_name(ByteReader& in, LayerName& name) {
  VARVE_TRY(get_raw(in, name.keys.start.bytes));
  VARVE_TRY(get_raw(in, name.keys.end.bytes));
  VARVE_TRY(in.get(name.lsn_start));
  VARVE_TRY(in.get(name.lsn_end));
  VARVE_TRY(get_flag(in, name.is_image));
  // The name must be one that a file can bear, and nothing in it may be unprintable or ambiguous.
  const auto parsed = LayerName::parse(name.to_string());
  if (!parsed.ok() || *parsed != name) {
    return make_error(ErrorCode::kCorrupted, "the manifest lists the impossible layer {}",
                      name.to_string());
  }
  return {};
}

void put_layers(ByteWriter& out, const std::vector<LayerEntry>& layers) {
  ObjectList objects;
  for (const auto& layer : layers) objects.number_of(layer.stored.object);
  objects.put(out);
  out.put(static_cast<uint32_t>(layers.size()));
  for (const auto& layer : layers) {
    put_layer_name(out, layer.name);
    out.put(layer.size);
    out.put_raw(layer.checksum.bytes);
    out.put(objects.number_of(layer.stored.object));
    out.put(layer.stored.table_offset);
    out.put(layer.stored.table_size);
    out.put(layer.stored.table_checksum);
  }
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

void put_retired(ByteWriter& out, const std::vector<RetiredObject>& retired) {
  out.put(static_cast<uint32_t>(retired.size()));
  for (const auto& object : retired) {
    out.put_string(object.object);
    out.put(object.superseded_by);
  }
}

Result<> get_retired(ByteReader& in, const LogName& log, std::vector<RetiredObject>& retired) {
  uint32_t count = 0;
  VARVE_TRY(in.get_count(count, sizeof(uint32_t) + sizeof(uint64_t)));
  retired.resize(count);
  std::unordered_set<std::string_view> seen;
  for (auto& object : retired) {
    VARVE_TRY(in.get_string(object.object));
    VARVE_TRY(in.get(object.superseded_by));
    if (!ObjectName::parse_file_name(log, object.object).ok()) {
      return make_error(ErrorCode::kCorrupted, "the manifest retires an object named '{}'",
                        object.object);
    }
    if (!seen.insert(object.object).second) {
      return make_error(ErrorCode::kCorrupted, "the manifest retires object {} twice",
                        object.object);
    }
  }
  const auto wrong = std::ranges::adjacent_find(retired, std::greater_equal{});
  if (wrong == retired.end()) return {};
  return make_error(ErrorCode::kCorrupted, "the retired objects are out of order at '{}'",
                    wrong->object);
}

}  // namespace varve
