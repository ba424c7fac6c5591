// The objects below a root in the order of their keys.
#pragma once

#include "remote_storage/local_fs/directory.h"
#include "remote_storage/remote_storage.h"

namespace varve::local_fs {

// At most `limit` objects whose keys start with `prefix` and come after `after`, which is empty for
// the beginning. `check` is asked now and then whether to go on.
//
// Only the directories that can hold such a key are read, each of them whole, with the names in
// memory.
Result<std::vector<ObjectInfo>> list_objects(const Directory& root, std::string_view prefix,
                                             std::string_view after, size_t limit,
                                             const std::function<Result<>()>& check);

}  // namespace varve::local_fs
