#include "follow/followed_primary.h"

#include "base/logging.h"
#include "fs/directory.h"
#include "storage_sync/checked_file.h"

namespace varve {
namespace {

constexpr std::string_view kMagic = "VARVEPRI";

Result<FollowedPrimary> read(const std::filesystem::path& path) {
  VARVE_ASSIGN(const Bytes body, read_checked_file(path, kMagic));
  return FollowedPrimary::decode(body).context(path.string());
}

}  // namespace

Bytes FollowedPrimary::encode() const {
  ByteWriter out;
  out.put(timeline.tenant);
  out.put(timeline.timeline);
  out.put_string(slot);
  out.put_string(connection_string);
  out.put(restored_at);
  return std::move(out).take();
}

Result<FollowedPrimary> FollowedPrimary::decode(ByteView bytes) {
  ByteReader in(bytes, "followed primary");
  FollowedPrimary primary;
  VARVE_TRY(in.get(primary.timeline.tenant));
  VARVE_TRY(in.get(primary.timeline.timeline));
  VARVE_TRY(in.get_string(primary.slot));
  VARVE_TRY(in.get_string(primary.connection_string));
  // Files of the first version end here.
  if (in.remaining() > 0) VARVE_TRY(in.get(primary.restored_at));
  VARVE_TRY(in.finish());
  return primary;
}

std::filesystem::path FollowedPrimaryFiles::path_of(const TenantTimelineId& timeline) const {
  return directory_ / fmt::format("{}.{}", timeline.tenant, timeline.timeline);
}

Result<std::vector<FollowedPrimary>> FollowedPrimaryFiles::list() const {
  std::vector<FollowedPrimary> primaries;
  VARVE_ASSIGN(const bool is_there, path_exists(directory_));
  if (!is_there) return primaries;
  VARVE_ASSIGN(const auto entries, list_directory(directory_));
  for (const DirectoryEntry& entry : entries) {
    const auto path = directory_ / entry.name;
    if (entry.name.ends_with(kTemporarySuffix)) {
      VARVE_TRY(remove_file(path));
      continue;
    }
    auto primary = read(path);
    if (primary.ok()) {
      primaries.push_back(*std::move(primary));
    } else {
      log_error(
          "a timeline does not follow its primary, and its replication slot there is to be "
          "dropped by hand",
          primary.error());
    }
  }
  return primaries;
}

Result<> FollowedPrimaryFiles::write(const FollowedPrimary& primary) const {
  VARVE_TRY(create_directories_durably(directory_));
  return write_checked_file(path_of(primary.timeline), kMagic, primary.encode());
}

Result<> FollowedPrimaryFiles::remove(const TenantTimelineId& timeline) const {
  VARVE_TRY(remove_file(path_of(timeline)));
  return sync_directory(directory_);
}

}  // namespace varve
