#include "storage_sync/local_manifest.h"

#include <algorithm>
#include <map>
#include <set>

#include "storage_sync/checked_file.h"

namespace varve {
namespace {

constexpr std::string_view kMagic = "VARVEMET";

std::vector<std::string> objects_of(const TimelineManifest& manifest, const StoredCommit& stored) {
  std::set<std::string> objects;
  objects.insert(stored.object);
  if (stored.base) objects.insert(stored.base->object);
  for (const LayerEntry& layer : manifest.layers) objects.insert(layer.stored.object);
  objects.erase(std::string());
  return {objects.begin(), objects.end()};
}

}  // namespace

uint64_t LocalManifest::state_checksum() const {
  ByteWriter out;
  out.put_blob(manifest.metadata.encode());
  out.put(static_cast<uint8_t>(manifest.deleted ? 1 : 0));
  for (const LayerEntry& layer : manifest.layers) {
    out.put_string(layer.name.to_string());
    out.put(layer.size);
    out.put_raw(layer.checksum.bytes);
  }
  return checksum64(out.view());
}

LocalManifest LocalManifest::from_commit(const LogHead& head, TimelineManifest manifest,
                                         const StoredCommit& stored) {
  LocalManifest local;
  local.manifest = std::move(manifest);
  const TimelineManifest committed = local.manifest;
  local.note_commit(head, committed, stored);
  return local;
}

void LocalManifest::note_commit(const LogHead& new_head, const TimelineManifest& committed,
                                const StoredCommit& stored) {
  std::map<LayerName, const LayerEntry*> places;
  for (const LayerEntry& layer : committed.layers) places.emplace(layer.name, &layer);
  for (LayerEntry& layer : manifest.layers) {
    const auto found = places.find(layer.name);
    if (found != places.end() && found->second->checksum == layer.checksum) {
      layer.stored = found->second->stored;
    }
  }
  head = new_head;
  remote_consistent_lsn = committed.metadata.disk_consistent_lsn;
  remote_objects = objects_of(committed, stored);
  manifest.stamp = committed.stamp;
  manifest.retired = committed.retired;
  LocalManifest remote;
  remote.manifest = committed;
  remote_state = remote.state_checksum();
}

Bytes LocalManifest::encode() const {
  ByteWriter out;
  out.put(head.sequence);
  out.put(head.checksum);
  out.put(remote_consistent_lsn);
  out.put(remote_state);
  out.put(static_cast<uint32_t>(remote_objects.size()));
  for (const auto& object : remote_objects) out.put_string(object);
  out.put_blob(manifest.encode());
  return std::move(out).take();
}

Result<LocalManifest> LocalManifest::decode(ByteView bytes) {
  ByteReader in(bytes, "metadata");
  LocalManifest local;
  uint32_t count = 0;
  ByteView manifest;
  VARVE_TRY(in.get(local.head.sequence));
  VARVE_TRY(in.get(local.head.checksum));
  VARVE_TRY(in.get(local.remote_consistent_lsn));
  VARVE_TRY(in.get(local.remote_state));
  VARVE_TRY(in.get_count(count, sizeof(uint32_t)));
  local.remote_objects.resize(count);
  for (auto& object : local.remote_objects) VARVE_TRY(in.get_string(object));
  VARVE_TRY(in.get_blob(manifest));
  VARVE_TRY(in.finish());
  VARVE_ASSIGN(local.manifest, TimelineManifest::decode(manifest));
  return local;
}

Result<LocalManifest> LocalManifest::read(const std::filesystem::path& timeline_directory) {
  const auto path = timeline_directory / kMetadataFileName;
  VARVE_ASSIGN(const Bytes body, read_checked_file(path, kMagic));
  return decode(body).context(path.string());
}

Result<> LocalManifest::write(const std::filesystem::path& timeline_directory) const {
  return write_checked_file(timeline_directory / kMetadataFileName, kMagic, encode());
}

Result<LocalManifest> decode_metadata_file(ByteView content) {
  VARVE_ASSIGN(const ByteView body, check_file_content(content, kMagic, "the metadata file"));
  return LocalManifest::decode(body);
}

}  // namespace varve
