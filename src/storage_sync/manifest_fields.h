// The fields that manifests of several kinds share.
// The layout, byte by byte, is in docs/formats/archive.md; change both together.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "storage_sync/manifest.h"

namespace varve {

// Manifests of the same version differ by kind, so that one is never read as another.
enum class ManifestKind : uint8_t { kTimeline = 1, kTenant = 2, kPack = 3, kTimelineDelta = 4 };

void put_manifest_head(ByteWriter& out, ManifestKind kind);
// Gives the version: any up to the one that is written.
Result<uint16_t> get_manifest_head(ByteReader& in, ManifestKind expected);
// The same for kinds that have had only one.
Result<> check_manifest_head(ByteReader& in, ManifestKind expected);
// Whether the bytes are a manifest that says of itself that it is of the kind.
bool is_manifest_of(ManifestKind kind, ByteView bytes);

void put_flag(ByteWriter& out, bool value);
Result<> get_flag(ByteReader& in, bool& value);

void put_time(ByteWriter& out, Timestamp time);
Result<> get_time(ByteReader& in, Timestamp& time);

void put_stamp(ByteWriter& out, const CommitStamp& stamp);
Result<> get_stamp(ByteReader& in, CommitStamp& stamp);

inline constexpr size_t kLayerNameSize = 2 * Key::kSize + 8 + 8 + 1;
void put_layer_name(ByteWriter& out, const LayerName& name);
// Corrupted also for a name that no layer file can bear.
Result<> get_layer_name(ByteReader& in, LayerName& name);

// Ascending by name, each once, in objects of `log` or in none.
void put_layers(ByteWriter& out, const std::vector<LayerEntry>& layers);
Result<> get_layers(ByteReader& in, const LogName& log, std::vector<LayerEntry>& layers);

// Objects of `log`, ascending, each once.
void put_retired(ByteWriter& out, const std::vector<RetiredObject>& retired);
Result<> get_retired(ByteReader& in, const LogName& log, std::vector<RetiredObject>& retired);

}  // namespace varve
