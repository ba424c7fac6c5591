#include "storage_sync/garbage_removal.h"

#include <algorithm>
#include <set>

namespace varve {

void CollectedGarbage::add(const CollectedGarbage& more) {
  objects += more.objects;
  bytes += more.bytes;
  failed.insert(failed.end(), more.failed.begin(), more.failed.end());
}

Result<> check_head(const LogName& log, uint64_t known, const ListedLog* listed) {
  const uint64_t head = listed == nullptr ? 0 : listed->head_sequence();
  if (head == known) return {};
  if (head > known) {
    return make_error(ErrorCode::kConflict,
                      "{} has gone on to commit {}, and only {} is known here: nothing is deleted",
                      log.prefix(), head, known);
  }
  return make_error(ErrorCode::kCorrupted,
                    "{} ends with commit {} although there was a commit {}: nothing is deleted",
                    log.prefix(), head, known);
}

bool is_older_than(Duration age, const ListedObject& object, Timestamp storage_time) {
  return std::chrono::microseconds(storage_time.micros - object.last_modified.micros) > age;
}

Result<std::vector<ListedObject>> remove_objects(RemoteStorage& storage,
                                                 std::span<const ListedObject> objects,
                                                 CollectedGarbage& collected,
                                                 const CallOptions& options) {
  std::vector<ListedObject> gone;
  const size_t at_once = storage.traits().maximum_remove_keys;
  for (size_t start = 0; start < objects.size(); start += at_once) {
    const auto batch = objects.subspan(start, std::min(at_once, objects.size() - start));
    std::vector<std::string> keys;
    for (const ListedObject& object : batch) keys.push_back(object.name.key());
    VARVE_ASSIGN(const auto failed, storage.remove(keys, options));
    std::set<std::string> refused;
    for (const FailedRemoval& removal : failed) refused.insert(removal.key);
    for (const ListedObject& object : batch) {
      if (refused.contains(object.name.key())) continue;
      ++collected.objects;
      collected.bytes += object.size;
      gone.push_back(object);
    }
    collected.failed.insert(collected.failed.end(), failed.begin(), failed.end());
  }
  return gone;
}

}  // namespace varve
