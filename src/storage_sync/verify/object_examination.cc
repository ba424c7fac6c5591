#include "storage_sync/verify/object_examination.h"

namespace varve {
namespace {

void keep_own_members(ExaminedObject& examined, const std::vector<LayerEntry>& layers) {
  const std::string own = examined.listed.name.file_name();
  for (const LayerEntry& layer : layers) {
    if (layer.stored.object == own) examined.members.push_back(layer);
  }
}

Result<> read_manifest(RemoteStorage& storage, ExaminedObject& examined,
                       const CallOptions& options) {
  const ObjectName& object = examined.listed.name;
  ObjectTrailer trailer;
  switch (object.kind) {
    case ObjectKind::kTenantArchive: {
      VARVE_ASSIGN(auto commit, read_tenant_commit(storage, object, options));
      trailer = commit.tail.trailer;
      examined.stamp = commit.manifest.stamp;
      if (examined.is_newest) examined.tenant = std::move(commit.manifest);
      break;
    }
    case ObjectKind::kTimelineArchive: {
      VARVE_ASSIGN(auto archive, read_timeline_archive(storage, object, options));
      trailer = archive.tail.trailer;
      examined.stamp = archive.stamp();
      keep_own_members(examined, archive.layers());
      if (!examined.is_newest) break;
      if (archive.delta() != nullptr) {
        examined.delta = std::move(archive);
      } else {
        examined.timeline = std::get<TimelineManifest>(std::move(archive.manifest));
      }
      break;
    }
    case ObjectKind::kPack: {
      VARVE_ASSIGN(const auto pack, read_pack(storage, object, options));
      trailer = pack.tail.trailer;
      keep_own_members(examined, pack.manifest.members);
      break;
    }
  }
  examined.checksum = trailer.checksum();
  examined.manifest_offset = trailer.manifest_offset;
  examined.readable = true;
  return {};
}

}  // namespace

bool tells_of_damage(ErrorCode code) {
  // InvalidArgument is what a storage says to a range beyond the end of an object.
  return code == ErrorCode::kCorrupted || code == ErrorCode::kNotFound ||
         code == ErrorCode::kInvalidArgument;
}

Finding damage_of(const Error& error, Need need, Place place) {
  if (error.code() == ErrorCode::kNotFound) {
    return missing(need, std::move(place),
                   "it was listed, and vanished while it was read: verify again when nothing else "
                   "works on the storage");
  }
  // The place says that already.
  const std::string prefix = "object " + place.object + ": ";
  const bool repeats = error.message().starts_with(prefix);
  std::string detail = error.message().substr(repeats ? prefix.size() : 0);
  return corrupt(need, std::move(place), std::move(detail));
}

Result<ExaminedObject> examine_object(RemoteStorage& storage, const ListedObject& listed,
                                      bool is_newest, const CallOptions& options) {
  ExaminedObject examined{.listed = listed, .is_newest = is_newest};
  const auto read = read_manifest(storage, examined, options);
  if (read.ok()) return examined;
  if (!tells_of_damage(read.code())) return read.error();
  // Of an older commit or a pack the newest state needs the members alone, which are checked by
  // what the newest commit says of them.
  const Need need = is_newest ? Need::kByNewestState : Need::kByHistoryAlone;
  examined.findings.push_back(
      damage_of(read.error(), need, {.log = listed.name.log, .object = listed.name.key()}));
  return examined;
}

}  // namespace varve
