// What one LIST says about a prefix: which logs there are, how far they reach, and which packs lie
// about.
//
// Where a storage cannot create an object only if it is absent, two servers may have stored an
// archive under the same number. The one that was stored first counts, for everybody who reads and
// for both servers; of those stored at the same time the one whose name sorts first, for readers,
// while both servers stop.
#pragma once

#include <map>
#include <set>
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
  std::vector<ListedObject> archives;  // Ascending by sequence, each once.
  // Archives whose number is another's. They do not count.
  std::vector<ListedObject> rivals;
  std::vector<ListedObject> packs;
  // Null when there is no such number.
  const ListedObject* find(uint64_t sequence) const;
  // Of archives that count, and packs.
  std::set<std::string> file_names() const;
  // 0 when there is no archive.
  uint64_t head_sequence() const { return archives.empty() ? 0 : archives.back().name.sequence; }
};

struct RemoteListing {
  std::map<LogName, ListedLog> logs;
  // Keys under the prefix that are not those of objects: reported, left alone.
  std::vector<std::string> foreign_keys;
  // The storage's clock when the listing began.
  Timestamp storage_time;
  uint64_t object_count = 0;
  uint64_t total_size = 0;  // Bytes.

  std::vector<TenantId> tenants() const;
  const ListedLog* find(const LogName& log) const;
};

// `prefix` is kTenantsPrefix for everything, or that of one tenant or log.
Result<RemoteListing> list_remote(RemoteStorage& storage, std::string_view prefix,
                                  const CallOptions& options);

// The archive that has the number; NotFound when there is none.
Result<ObjectName> find_archive(RemoteStorage& storage, const LogName& log, uint64_t sequence,
                                const CallOptions& options);

}  // namespace varve
