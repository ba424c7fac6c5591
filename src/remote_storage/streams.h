// Conveniences over RemoteStorage that every implementation shares.
#pragma once

#include "remote_storage/remote_storage.h"

namespace varve {

// Fills a buffer with the next bytes of a stream and returns how many; fewer than asked for only at
// the end, 0 after it.
using ByteSource = std::function<Result<size_t>(std::span<uint8_t>)>;

struct UploadOptions {
  // What fits into one part is sent with a single put().
  uint64_t part_size = 8ULL << 20;
  PutCondition condition = PutCondition::kNone;
};

// Uploads a stream of known or unknown size with one part in memory. A stream longer than a part
// goes in parts; `condition` is then only checked beforehand, since not every server honours it on
// completion. Returns the size.
Result<uint64_t> upload_stream(RemoteStorage& storage, std::string_view key,
                               const ByteSource& source, const UploadOptions& upload,
                               const CallOptions& options);

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
