// What one LIST says about a prefix: which logs there are, how far they reach, and which packs lie
// about.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "storage_sync/object_name.h"
#include "storage_sync/sync_context.h"

namespace varve {

struct ListedObject {
  ObjectName name;
  uint64_t size = 0;
  Timestamp last_modified;
};

struct ListedLog {
  std::vector<ListedObject> archives;  // Ascending by sequence.
  std::vector<ListedObject> packs;
  // 0 when there is no archive.
  uint64_t head_sequence() const { return archives.empty() ? 0 : archives.back().name.sequence; }
};

struct RemoteListing {
  std::map<LogName, ListedLog> logs;
  // Keys under the prefix that are not those of objects: reported, left alone.
  std::vector<std::string> foreign_keys;
  uint64_t object_count = 0;
  uint64_t total_size = 0;  // Bytes.

  std::vector<TenantId> tenants() const;
  const ListedLog* find(const LogName& log) const;
};

// `prefix` is kTenantsPrefix for everything, or that of one tenant or log.
Result<RemoteListing> list_remote(RemoteStorage& storage, std::string_view prefix,
                                  const CallOptions& options);

}  // namespace varve
