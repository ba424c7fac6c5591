#include "remote_storage/streams.h"

#include <algorithm>
#include <iterator>

namespace varve {
namespace {

Duration age_of(const UnfinishedUpload& upload, const UploadPage& page) {
  return std::chrono::microseconds(page.storage_time.micros - upload.started_at.micros);
}

}  // namespace

Result<Bytes> get_bytes(RemoteStorage& storage, std::string_view key, const ByteRange& range,
                        uint64_t limit, const CallOptions& options, ObjectInfo* info) {
  Bytes bytes;
  const auto append = [&](ByteView chunk) -> Result<> {
    if (chunk.size() > limit - bytes.size()) {
      return make_error(ErrorCode::kExhausted, "{} is larger than the {} bytes expected at most",
                        key, limit);
    }
    bytes.insert(bytes.end(), chunk.begin(), chunk.end());
    return {};
  };
  VARVE_ASSIGN(ObjectInfo found, storage.get(key, range, append, options));
  if (info != nullptr) *info = std::move(found);
  return bytes;
}

Result<std::vector<ObjectInfo>> list_all(RemoteStorage& storage, std::string_view prefix,
                                         const CallOptions& options) {
  std::vector<ObjectInfo> objects;
  std::string after;
  do {
    VARVE_ASSIGN(ListPage page, storage.list(prefix, after, options));
    std::ranges::move(page.objects, std::back_inserter(objects));
    after = std::move(page.continuation);
  } while (!after.empty());
  return objects;
}

Result<std::vector<UnfinishedUpload>> list_uploads_older_than(RemoteStorage& storage,
                                                              std::string_view prefix, Duration age,
                                                              const CallOptions& options) {
  std::vector<UnfinishedUpload> uploads;
  std::string continuation;
  do {
    VARVE_ASSIGN(UploadPage page, storage.list_uploads(prefix, continuation, options));
    for (UnfinishedUpload& upload : page.uploads) {
      if (age_of(upload, page) >= age) uploads.push_back(std::move(upload));
    }
    continuation = std::move(page.continuation);
  } while (!continuation.empty());
  return uploads;
}

}  // namespace varve
