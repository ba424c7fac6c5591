#include "remote_storage/memory.h"

#include <algorithm>

#include "remote_storage/checks.h"
#include "remote_storage/part_sizes.h"

namespace varve {
namespace {

constexpr size_t kPageSize = 1000;
// What a sink is given at once; between two of them a stop request is noticed.
constexpr uint64_t kChunkSize = 1 << 20;

ObjectInfo describe(std::string_view key, uint64_t size, Timestamp last_modified) {
  return {.key = std::string(key), .size = size, .last_modified = last_modified};
}

}  // namespace

// What was sent of an upload. It may be ended from outside while parts arrive.
struct MemoryStorage::Parts {
  std::mutex mutex;
  bool open = true;
  std::map<uint32_t, Bytes> bodies;

  void end() {
    const std::lock_guard lock(mutex);
    bodies.clear();
    open = false;
  }
};

class MemoryStorage::Upload : public MultipartUpload {
 public:
  Upload(MemoryStorage& storage, std::string key, std::string upload_id, uint64_t part_size)
      : storage_(storage),
        key_(std::move(key)),
        upload_id_(std::move(upload_id)),
        part_size_(part_size),
        sizes_(key_, part_size),
        parts_(std::make_shared<Parts>()) {
    const std::lock_guard lock(storage_.mutex_);
    storage_.uploads_.emplace(upload_id_, RunningUpload{key_, storage_.clock_.now(), parts_});
  }
  ~Upload() override { end(); }

  Result<> upload_part(uint32_t number, ByteView body, const CallOptions& options) override {
    VARVE_TRY(options.check("upload of a part of " + key_, storage_.clock_));
    VARVE_TRY(check_part(storage_.traits_, key_, number, body.size(), part_size_));
    sizes_.add(number, body.size());
    const std::lock_guard lock(parts_->mutex);
    VARVE_TRY(check_open());
    parts_->bodies[number].assign(body.begin(), body.end());
    return {};
  }

  Result<> complete(uint32_t parts, const CallOptions& options) override {
    VARVE_TRY(options.check("completion of " + key_, storage_.clock_));
    Bytes body;
    {
      const std::lock_guard lock(parts_->mutex);
      VARVE_TRY(check_open());
      VARVE_TRY(sizes_.check_complete(parts));
      for (const auto& [number, part] : parts_->bodies) {
        body.insert(body.end(), part.begin(), part.end());
      }
      parts_->open = false;
    }
    end();
    return storage_.store(key_, std::move(body), PutCondition::kNone);
  }

  Result<> abort(const CallOptions& options) override {
    VARVE_TRY(options.check("abort of the upload of " + key_, storage_.clock_));
    end();
    return {};
  }

 private:
  // With the lock of the parts held.
  Result<> check_open() const {
    if (parts_->open) return {};
    return make_error(ErrorCode::kInvalidArgument, "the upload of {} has ended", key_);
  }

  void end() {
    parts_->end();
    const std::lock_guard lock(storage_.mutex_);
    storage_.uploads_.erase(upload_id_);
  }

  MemoryStorage& storage_;
  const std::string key_;
  const std::string upload_id_;
  const uint64_t part_size_;
  PartSizes sizes_;
  const std::shared_ptr<Parts> parts_;
};

MemoryStorage::MemoryStorage(Clock& clock) : MemoryStorage(clock, {.kind = "memory"}) {}

MemoryStorage::MemoryStorage(Clock& clock, StorageTraits traits)
    : traits_(std::move(traits)), clock_(clock) {}

Result<ListPage> MemoryStorage::list(std::string_view prefix, std::string_view after,
                                     const CallOptions& options) {
  VARVE_TRY(options.check("listing", clock_));
  ListPage page;
  const std::lock_guard lock(mutex_);
  page.storage_time = clock_.now();
  auto next = after < prefix ? objects_.lower_bound(prefix) : objects_.upper_bound(after);
  for (; next != objects_.end() && next->first.starts_with(prefix); ++next) {
    if (page.objects.size() == kPageSize) {
      page.continuation = page.objects.back().key;
      break;
    }
    page.objects.push_back(
        describe(next->first, next->second.body->size(), next->second.last_modified));
  }
  return page;
}

Result<> MemoryStorage::put(std::string_view key, ByteView body, PutCondition condition,
                            const CallOptions& options) {
  VARVE_TRY(check_put(traits_, key, body.size(), condition));
  VARVE_TRY(options.check(key, clock_));
  return store(key, Bytes(body.begin(), body.end()), condition);
}

Result<> MemoryStorage::store(std::string_view key, Bytes body, PutCondition condition) {
  const auto shared = std::make_shared<const Bytes>(std::move(body));
  const std::lock_guard lock(mutex_);
  // With the lock held, so that what is seen later is not older.
  Object object{.body = shared, .last_modified = clock_.now()};
  const auto [place, inserted] = objects_.try_emplace(std::string(key), object);
  if (inserted) return {};
  if (condition == PutCondition::kIfAbsent) {
    return make_error(ErrorCode::kConflict, "object {} exists already", key);
  }
  place->second = std::move(object);
  return {};
}

Result<std::unique_ptr<MultipartUpload>> MemoryStorage::start_multipart(
    std::string_view key, uint64_t part_size, const CallOptions& options) {
  VARVE_TRY(check_multipart(traits_, key, part_size));
  VARVE_TRY(options.check(key, clock_));
  std::string upload_id;
  {
    const std::lock_guard lock(mutex_);
    upload_id = std::to_string(next_upload_++);
  }
  return std::make_unique<Upload>(*this, std::string(key), std::move(upload_id), part_size);
}

Result<UploadPage> MemoryStorage::list_uploads(std::string_view prefix, std::string_view,
                                               const CallOptions& options) {
  VARVE_TRY(options.check("listing of uploads", clock_));
  UploadPage page;
  const std::lock_guard lock(mutex_);
  page.storage_time = clock_.now();
  for (const auto& [upload_id, upload] : uploads_) {
    if (!upload.key.starts_with(prefix)) continue;
    page.uploads.push_back(
        {.key = upload.key, .upload_id = upload_id, .started_at = upload.started_at});
  }
  std::ranges::sort(page.uploads, {}, &UnfinishedUpload::key);
  return page;
}

Result<> MemoryStorage::abort_upload(std::string_view key, std::string_view upload_id,
                                     const CallOptions& options) {
  VARVE_TRY(check_object_key(key));
  VARVE_TRY(options.check(key, clock_));
  std::shared_ptr<Parts> parts;
  {
    const std::lock_guard lock(mutex_);
    const auto found = uploads_.find(upload_id);
    if (found == uploads_.end() || found->second.key != key) return {};
    parts = found->second.parts;
    uploads_.erase(found);
  }
  parts->end();
  return {};
}

Result<MemoryStorage::Object> MemoryStorage::find(std::string_view key) const {
  VARVE_TRY(check_object_key(key));
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find(key);
  if (found != objects_.end()) return found->second;
  return make_error(ErrorCode::kNotFound, "no object {} in memory", key);
}

Result<ObjectInfo> MemoryStorage::get(std::string_view key, const ByteRange& range,
                                      const ByteSink& sink, const CallOptions& options) {
  VARVE_TRY(options.check(key, clock_));
  VARVE_ASSIGN(const Object object, find(key));
  ByteView body(*object.body);
  const ObjectInfo info = describe(key, body.size(), object.last_modified);
  VARVE_ASSIGN(const ByteInterval interval, resolve_range(range, body.size(), key));
  VARVE_TRY(sink.start(info));
  body = body.subspan(interval.start, interval.size);
  while (!body.empty()) {
    VARVE_TRY(options.check(key, clock_));
    const ByteView chunk = body.first(std::min<uint64_t>(body.size(), kChunkSize));
    VARVE_TRY(sink(chunk));
    body = body.subspan(chunk.size());
  }
  return info;
}

Result<ObjectInfo> MemoryStorage::head(std::string_view key, const CallOptions& options) {
  VARVE_TRY(options.check(key, clock_));
  VARVE_ASSIGN(const Object object, find(key));
  return describe(key, object.body->size(), object.last_modified);
}

Result<std::vector<FailedRemoval>> MemoryStorage::remove(const std::vector<std::string>& keys,
                                                         const CallOptions& options) {
  VARVE_TRY(check_removal(traits_, keys));
  VARVE_TRY(options.check("removal", clock_));
  const std::lock_guard lock(mutex_);
  for (const std::string& key : keys) objects_.erase(key);
  return std::vector<FailedRemoval>{};
}

}  // namespace varve
