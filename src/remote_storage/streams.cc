#include "remote_storage/streams.h"

namespace varve {
namespace {

// Cuts a stream into parts. It reads one byte ahead, which tells whether the part it gives is the
// last.
class PartReader {
 public:
  PartReader(const ByteSource& source, uint64_t part_size)
      : source_(source), buffer_(part_size + 1) {}

  // The next part, valid until the next call.
  Result<ByteView> next() {
    if (ahead_ == 1) buffer_[0] = buffer_.back();
    VARVE_ASSIGN(const size_t count, source_(std::span(buffer_).subspan(ahead_)));
    const size_t held = ahead_ + count;
    last_ = held < buffer_.size();
    ahead_ = last_ ? 0 : 1;
    return ByteView(buffer_).first(held - ahead_);
  }
  bool last() const { return last_; }

 private:
  const ByteSource& source_;
  Bytes buffer_;
  size_t ahead_ = 0;
  bool last_ = false;
};

Result<> check_absent(RemoteStorage& storage, std::string_view key, const CallOptions& options) {
  const auto head = storage.head(key, options);
  if (head.failed_with(ErrorCode::kNotFound)) return {};
  VARVE_TRY(head);
  return make_error(ErrorCode::kConflict, "object {} exists already", key);
}

Duration age_of(const UnfinishedUpload& upload, const UploadPage& page) {
  return std::chrono::microseconds(page.storage_time.micros - upload.started_at.micros);
}

Result<uint64_t> upload_parts(MultipartUpload& upload, ByteView first, PartReader& reader,
                              const CallOptions& options) {
  uint64_t size = first.size();
  uint32_t parts = 0;
  VARVE_TRY(upload.upload_part(parts++, first, options));
  while (!reader.last()) {
    VARVE_ASSIGN(const ByteView part, reader.next());
    VARVE_TRY(upload.upload_part(parts++, part, options));
    size += part.size();
  }
  VARVE_TRY(upload.complete(parts, options));
  return size;
}

}  // namespace

Result<uint64_t> upload_stream(RemoteStorage& storage, std::string_view key,
                               const ByteSource& source, const UploadOptions& upload,
                               const CallOptions& options) {
  PartReader reader(source, upload.part_size);
  VARVE_ASSIGN(const ByteView first, reader.next());
  if (reader.last()) {
    VARVE_TRY(storage.put(key, first, upload.condition, options));
    return first.size();
  }
  if (upload.condition == PutCondition::kIfAbsent) VARVE_TRY(check_absent(storage, key, options));
  VARVE_ASSIGN(const auto parts, storage.start_multipart(key, upload.part_size, options));
  return upload_parts(*parts, first, reader, options);
}

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
