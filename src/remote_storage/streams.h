// Conveniences over RemoteStorage that every implementation shares.
#pragma once

#include "remote_storage/remote_storage.h"

namespace varve {

// A range of an object in memory. Exhausted when more than `limit` bytes come.
Result<Bytes> get_bytes(RemoteStorage& storage, std::string_view key, const ByteRange& range,
                        uint64_t limit, const CallOptions& options, ObjectInfo* info = nullptr);

// Every object under a prefix, over all pages.
Result<std::vector<ObjectInfo>> list_all(RemoteStorage& storage, std::string_view prefix,
                                         const CallOptions& options);

// Every unfinished upload under a prefix that was started at least `age` ago by the storage's
// clock, over all pages.
Result<std::vector<UnfinishedUpload>> list_uploads_older_than(RemoteStorage& storage,
                                                              std::string_view prefix, Duration age,
                                                              const CallOptions& options);

}  // namespace varve
