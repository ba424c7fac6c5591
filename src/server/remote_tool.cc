#include "server/remote_tool.h"

#include <algorithm>

#include "fs/directory.h"

namespace varve {

std::vector<LayerEntry> ShownObject::members() const {
  std::vector<LayerEntry> members;
  if (timeline) members = timeline->layers;
  if (timeline_delta) members = timeline_delta->added_layers;
  if (pack) members = pack->members;
  std::erase_if(members,
                [&](const LayerEntry& layer) { return layer.stored.object != name.file_name(); });
  return members;
}

Result<ShownObject> show_object(RemoteStorage& storage, const std::string& key,
                                const CallOptions& call) {
  ShownObject shown;
  VARVE_ASSIGN(shown.name, ObjectName::parse(key));
  VARVE_TRY(check_object_header(storage, shown.name, call));
  switch (shown.name.kind) {
    case ObjectKind::kTenantArchive: {
      VARVE_ASSIGN(auto commit, read_tenant_commit(storage, shown.name, call));
      shown.tail = std::move(commit.tail);
      shown.tenant = std::move(commit.manifest);
      break;
    }
    case ObjectKind::kTimelineArchive: {
      VARVE_ASSIGN(auto archive, read_timeline_archive(storage, shown.name, call));
      shown.tail = std::move(archive.tail);
      if (archive.delta() != nullptr) {
        shown.timeline_delta = std::get<TimelineManifestDelta>(std::move(archive.manifest));
      } else {
        shown.timeline = std::get<TimelineManifest>(std::move(archive.manifest));
      }
      break;
    }
    case ObjectKind::kPack: {
      VARVE_ASSIGN(auto pack, read_pack(storage, shown.name, call));
      shown.tail = std::move(pack.tail);
      shown.pack = std::move(pack.manifest);
      break;
    }
  }
  return shown;
}

Result<std::vector<LayerEntry>> extract_members(const SyncContext& context,
                                                const ExtractRequest& request,
                                                const CallOptions& call) {
  VARVE_ASSIGN(const ShownObject shown, show_object(context.storage, request.key, call));
  std::vector<LayerEntry> wanted = shown.members();
  if (!request.members.empty()) {
    for (const std::string& member : request.members) {
      if (std::ranges::none_of(
              wanted, [&](const LayerEntry& layer) { return layer.name.to_string() == member; })) {
        return make_error(ErrorCode::kNotFound, "object {} holds no member '{}'", request.key,
                          member);
      }
    }
    std::erase_if(wanted, [&](const LayerEntry& layer) {
      return std::ranges::find(request.members, layer.name.to_string()) == request.members.end();
    });
  }
  VARVE_TRY(create_directories_durably(request.to, 0755));
  for (const LayerEntry& layer : wanted) {
    const auto path = request.to / layer.name.to_string();
    VARVE_ASSIGN(const bool present, path_exists(path));
    if (present) {
      return make_error(ErrorCode::kConflict, "{} exists already: extract into another directory",
                        path.string());
    }
    VARVE_TRY(
        download_layer(context, shown.name.log, layer, request.to, Durability::kSynced, call));
  }
  return wanted;
}

}  // namespace varve
