#include "storage_sync/remote_listing.h"

#include <algorithm>
#include <tuple>

#include "storage_sync/sharded_listing.h"

namespace varve {
namespace {

bool counts_before(const ListedObject& left, const ListedObject& right) {
  return std::tie(left.last_modified, left.name) < std::tie(right.last_modified, right.name);
}

// Keys come sorted, and sequences have a fixed width: archives arrive in their order, and those of
// one number together.
void add_archive(ListedLog& log, ListedObject archive) {
  if (log.head_sequence() != archive.name.sequence) {
    log.archives.push_back(std::move(archive));
    return;
  }
  ListedObject& first = log.archives.back();
  if (counts_before(archive, first)) std::swap(archive, first);
  log.rivals.push_back(std::move(archive));
}

}  // namespace

const ListedObject* ListedLog::find(uint64_t sequence) const {
  const auto found = std::ranges::lower_bound(
      archives, sequence, {}, [](const ListedObject& archive) { return archive.name.sequence; });
  return found != archives.end() && found->name.sequence == sequence ? &*found : nullptr;
}

std::set<std::string> ListedLog::file_names() const {
  std::set<std::string> names;
  for (const auto* objects : {&archives, &packs}) {
    for (const ListedObject& object : *objects) names.insert(object.name.file_name());
  }
  return names;
}

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
  VARVE_ASSIGN(const ShardedListing listed, list_in_shards(storage, prefix, options));
  RemoteListing listing;
  listing.storage_time = listed.storage_time;
  for (const ObjectInfo& object : listed.objects) {
    ++listing.object_count;
    listing.total_size += object.size;
    auto name = ObjectName::parse(object.key);
    if (!name.ok()) {
      listing.foreign_keys.push_back(object.key);
      continue;
    }
    ListedLog& log = listing.logs[name->log];
    ListedObject named{*name, object.size, object.last_modified};
    if (name->kind == ObjectKind::kPack) {
      log.packs.push_back(std::move(named));
    } else {
      add_archive(log, std::move(named));
    }
  }
  return listing;
}

Result<ObjectName> find_archive(RemoteStorage& storage, const LogName& log, uint64_t sequence,
                                const CallOptions& options) {
  const std::string prefix = fmt::format("{}{:016x}", log.prefix(), sequence);
  VARVE_ASSIGN(const RemoteListing listing, list_remote(storage, prefix, options));
  const ListedLog* listed = listing.find(log);
  const ListedObject* archive = listed == nullptr ? nullptr : listed->find(sequence);
  if (archive != nullptr) return archive->name;
  return make_error(ErrorCode::kNotFound, "no archive {}*", prefix);
}

}  // namespace varve
