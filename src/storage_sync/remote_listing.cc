#include "storage_sync/remote_listing.h"

#include "remote_storage/streams.h"

namespace varve {

std::vector<TenantId> RemoteListing::tenants() const {
  std::vector<TenantId> tenants;
  // Logs are ordered by tenant first, so that equal ones are neighbours.
  for (const auto& [log, listed] : logs) {
    if (tenants.empty() || tenants.back() != log.tenant) tenants.push_back(log.tenant);
  }
  return tenants;
}

const ListedLog* RemoteListing::find(const LogName& log) const {
  const auto found = logs.find(log);
  return found == logs.end() ? nullptr : &found->second;
}

Result<RemoteListing> list_remote(RemoteStorage& storage, std::string_view prefix,
                                  const CallOptions& options) {
  VARVE_ASSIGN(const auto objects, list_all(storage, prefix, options));
  RemoteListing listing;
  for (const ObjectInfo& object : objects) {
    ++listing.object_count;
    listing.total_size += object.size;
    auto name = ObjectName::parse(object.key);
    if (!name.ok()) {
      listing.foreign_keys.push_back(object.key);
      continue;
    }
    ListedLog& log = listing.logs[name->log];
    // Keys come sorted, and sequences have a fixed width: archives arrive in their order.
    (name->kind == ObjectKind::kPack ? log.packs : log.archives)
        .push_back({*name, object.size, object.last_modified});
  }
  return listing;
}

}  // namespace varve
