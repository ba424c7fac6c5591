#include "remote_storage/local_fs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "fs/directory.h"
#include "remote_storage/checks.h"
#include "remote_storage/local_fs/listing.h"
#include "remote_storage/local_fs/temporary_file.h"
#include "remote_storage/local_fs/unfinished_uploads.h"
#include "remote_storage/part_sizes.h"
#include "remote_storage/url.h"

namespace varve {

using local_fs::Directory;
using local_fs::TemporaryFile;
using local_fs::UploadMark;

namespace {

constexpr size_t kPageSize = 1000;
// What is read or written at once; between two of them a stop request is noticed.
constexpr size_t kChunkSize = 1 << 20;

// NAME_MAX of every file system that is likely to be met.
constexpr size_t kMaximumComponentSize = 255;

// "a/b" of "a/b/c", empty for "c".
std::string_view parent_of(std::string_view key) {
  const size_t slash = key.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : key.substr(0, slash);
}

std::string_view name_of(std::string_view key) {
  return key.substr(key.rfind('/') + 1);
}

// The components of a key; none for "".
std::vector<std::string_view> components_of(std::string_view key) {
  std::vector<std::string_view> components;
  while (!key.empty()) {
    const size_t end = std::min(key.find('/'), key.size());
    components.push_back(key.substr(0, end));
    key.remove_prefix(std::min(end + 1, key.size()));
  }
  return components;
}

// While something is written, a name that is missing was removed by another: that says nothing
// about the object, and NotFound would.
Result<> not_absent(Result<> result) {
  if (!result.failed_with(ErrorCode::kNotFound)) return result;
  return make_error(ErrorCode::kUnavailable, "{}", result.error().message());
}

Result<> write_chunks(TemporaryFile& file, uint64_t offset, ByteView body,
                      const std::function<Result<>()>& check) {
  while (!body.empty()) {
    VARVE_TRY(check());
    const ByteView chunk = body.first(std::min(body.size(), kChunkSize));
    VARVE_TRY(file.write_at(offset, chunk));
    offset += chunk.size();
    body = body.subspan(chunk.size());
  }
  return check();
}

Result<Directory> create_directory(const Directory& parent, std::string_view name) {
  const std::string text(name);
  if (mkdirat(parent.descriptor.get(), text.c_str(), 0700) != 0 && errno != EEXIST) {
    return system_error(errno, fmt::format("cannot create directory {}", parent.shown(name)));
  }
  auto directory = open_directory(parent, name);
  if (directory.failed_with(ErrorCode::kNotFound)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{} is an object: no other can be stored below it", parent.shown(name));
  }
  return directory;
}

// Absent, or a directory and therefore no object: nothing is to be done.
Result<> remove_object(const Directory& directory, std::string_view name) {
  const auto status = examine(directory, name);
  if (status.failed_with(ErrorCode::kNotFound)) return {};
  VARVE_TRY(status);
  if (S_ISDIR(status->st_mode)) return {};
  if (!S_ISREG(status->st_mode)) {
    return make_error(ErrorCode::kDenied, "{} is not a regular file: it is left alone",
                      directory.shown(name));
  }
  const std::string text(name);
  if (unlinkat(directory.descriptor.get(), text.c_str(), 0) == 0 || errno == ENOENT) return {};
  return system_error(errno, fmt::format("cannot remove {}", directory.shown(name)));
}

}  // namespace

struct LocalFs::OpenObject {
  Descriptor descriptor;
  ObjectInfo info;
  std::string shown;
};

class LocalFs::Upload : public MultipartUpload {
 public:
  Upload(LocalFs& storage, UploadMark mark, TemporaryFile file, std::string key, uint64_t part_size)
      : storage_(storage),
        key_(std::move(key)),
        part_size_(part_size),
        sizes_(key_, part_size),
        mark_(std::move(mark)),
        file_(std::make_shared<TemporaryFile>(std::move(file))) {}

  Result<> upload_part(uint32_t number, ByteView body, const CallOptions& options) override {
    VARVE_TRY(check_part(storage_.traits_, key_, number, body.size(), part_size_));
    VARVE_ASSIGN(const auto file, open_file());
    VARVE_TRY(write_chunks(*file, number * part_size_, body,
                           [&] { return options.check("upload of " + key_, storage_.clock_); }));
    sizes_.add(number, body.size());
    return {};
  }

  Result<> complete(uint32_t parts, const CallOptions& options) override {
    VARVE_TRY(options.check("completion of " + key_, storage_.clock_));
    VARVE_TRY(sizes_.check_complete(parts));
    VARVE_ASSIGN(const auto file, open_file());
    VARVE_ASSIGN(const Directory directory, storage_.create_parent(key_));
    auto published = not_absent(file->publish(directory, name_of(key_)));
    // What fsync once failed to write must not be completed by a second one that succeeds.
    close_file();
    return published;
  }

  Result<> abort(const CallOptions& options) override {
    VARVE_TRY(options.check("abort of the upload of " + key_, storage_.clock_));
    close_file();
    return {};
  }

 private:
  Result<std::shared_ptr<TemporaryFile>> open_file() {
    const std::lock_guard lock(mutex_);
    if (file_ != nullptr) return file_;
    return make_error(ErrorCode::kInvalidArgument, "the upload of {} has ended", key_);
  }

  void close_file() {
    const std::lock_guard lock(mutex_);
    file_.reset();
    mark_.reset();
  }

  LocalFs& storage_;
  const std::string key_;
  const uint64_t part_size_;
  PartSizes sizes_;
  std::mutex mutex_;
  // Goes after the file.
  std::optional<UploadMark> mark_;
  // Shared with the parts that are being written, so that an abort waits for none of them.
  std::shared_ptr<TemporaryFile> file_;
};

LocalFs::LocalFs(Directory root, Clock& clock)
    : traits_{.kind = "file", .shows_running_uploads = false, .keys_are_paths = true},
      clock_(clock),
      root_(std::move(root)) {}

Result<std::unique_ptr<LocalFs>> LocalFs::open(const std::filesystem::path& root,
                                               const Options& options) {
  Descriptor descriptor(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() < 0) {
    if (errno == ENOENT) {
      return make_error(ErrorCode::kNotFound,
                        "storage directory {} does not exist: create it, or check the path and "
                        "whether its file system is mounted",
                        root.string());
    }
    if (errno == ENOTDIR) {
      return make_error(ErrorCode::kInvalidArgument,
                        "{} is not a directory: it cannot be a storage", root.string());
    }
    return system_error(errno, fmt::format("cannot open storage directory {}", root.string()));
  }
  Directory directory{std::move(descriptor), std::filesystem::absolute(root)};
  if (options.access == Access::kReadWrite) {
    // Effective user, and EROFS for a file system that is mounted read-only.
    if (faccessat(directory.descriptor.get(), ".", W_OK | X_OK, AT_EACCESS) != 0) {
      return system_error(errno, fmt::format("cannot write storage directory {}", root.string()));
    }
    VARVE_TRY(remove_leftovers(directory));
  }
  return std::unique_ptr<LocalFs>(new LocalFs(std::move(directory), *options.clock));
}

std::string LocalFs::url() const {
  return to_url(FileLocation{root_.path});
}

Result<> LocalFs::check_key(std::string_view key) const {
  VARVE_TRY(check_object_key(key));
  const auto components = components_of(key);
  if (components.front() == local_fs::kTemporaryDirectory) {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' is not a key of this storage: {} holds its temporary files", key,
                      local_fs::kTemporaryDirectory);
  }
  for (const std::string_view component : components) {
    if (component.size() <= kMaximumComponentSize) continue;
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' is not a key of this storage: a component has more than {} bytes", key,
                      kMaximumComponentSize);
  }
  return {};
}

Result<> LocalFs::check_root() const {
  struct stat status{};
  if (fstat(root_.descriptor.get(), &status) != 0) {
    return system_error(errno, fmt::format("cannot examine {}", root_.path.string()));
  }
  if (status.st_nlink > 0) return {};
  return make_error(ErrorCode::kUnavailable,
                    "storage directory {} was removed: restore it and start again",
                    root_.path.string());
}

Result<Directory> LocalFs::open_root() const {
  VARVE_ASSIGN(Directory directory, open_directory(root_, "."));
  directory.path = root_.path;
  return directory;
}

Result<Directory> LocalFs::open_parent(std::string_view key) const {
  VARVE_ASSIGN(Directory directory, open_root());
  for (const std::string_view component : components_of(parent_of(key))) {
    VARVE_ASSIGN(directory, open_directory(directory, component));
  }
  return directory;
}

Result<Directory> LocalFs::create_parent(std::string_view key) {
  VARVE_ASSIGN(Directory directory, open_root());
  const std::string_view parent = parent_of(key);
  for (const std::string_view component : components_of(parent)) {
    const auto end = static_cast<size_t>(component.data() + component.size() - parent.data());
    VARVE_ASSIGN(Directory child, create_directory(directory, component));
    const std::string_view path = parent.substr(0, end);
    const auto is_durable = [&] {
      const std::lock_guard lock(mutex_);
      return durable_directories_.contains(path);
    };
    // One that exists may have been created a moment ago by another who has not synced it yet.
    if (!is_durable()) {
      VARVE_TRY(local_fs::sync(directory.descriptor, directory.path.string()));
      const std::lock_guard lock(mutex_);
      durable_directories_.emplace(path);
    }
    directory = std::move(child);
  }
  return directory;
}

Result<ListPage> LocalFs::list(std::string_view prefix, std::string_view after,
                               const CallOptions& options) {
  VARVE_TRY(check_root());
  ListPage page{.storage_time = clock_.now()};
  VARVE_ASSIGN(page.objects, list_objects(root_, prefix, after, kPageSize + 1, [&] {
                 return options.check("listing of " + url(), clock_);
               }));
  if (page.objects.size() > kPageSize) {
    page.objects.pop_back();
    page.continuation = page.objects.back().key;
  }
  return page;
}

Result<> LocalFs::put(std::string_view key, ByteView body, PutCondition condition,
                      const CallOptions& options) {
  VARVE_TRY(check_key(key));
  VARVE_TRY(check_put(traits_, key, body.size(), condition));
  VARVE_TRY(options.check(key, clock_));
  return not_absent(put_object(key, body, condition, options));
}

Result<> LocalFs::put_object(std::string_view key, ByteView body, PutCondition condition,
                             const CallOptions& options) {
  VARVE_ASSIGN(const Directory parent, create_parent(key));
  VARVE_ASSIGN(TemporaryFile file, TemporaryFile::create(root_));
  VARVE_TRY(write_chunks(file, 0, body, [&] { return options.check(key, clock_); }));
  if (condition == PutCondition::kIfAbsent) return file.publish_if_absent(parent, name_of(key));
  return file.publish(parent, name_of(key));
}

Result<std::unique_ptr<MultipartUpload>> LocalFs::start_multipart(std::string_view key,
                                                                  uint64_t part_size,
                                                                  const CallOptions& options) {
  VARVE_TRY(check_key(key));
  VARVE_TRY(check_multipart(traits_, key, part_size));
  VARVE_TRY(options.check(key, clock_));
  std::optional<TemporaryFile> file;
  std::optional<UploadMark> mark;
  const auto create = [&]() -> Result<> {
    VARVE_ASSIGN(TemporaryFile created, TemporaryFile::create(root_));
    VARVE_ASSIGN(UploadMark its_mark, UploadMark::create(root_, created, key));
    file.emplace(std::move(created));
    mark.emplace(std::move(its_mark));
    return {};
  };
  VARVE_TRY(not_absent(create()));
  return std::make_unique<Upload>(*this, *std::move(mark), *std::move(file), std::string(key),
                                  part_size);
}

Result<UploadPage> LocalFs::list_uploads(std::string_view prefix, std::string_view,
                                         const CallOptions& options) {
  VARVE_TRY(options.check("listing of uploads of " + url(), clock_));
  VARVE_TRY(check_root());
  UploadPage page{.storage_time = clock_.now()};
  VARVE_ASSIGN(page.uploads, list_unfinished_uploads(root_, prefix));
  std::ranges::sort(page.uploads, {}, &UnfinishedUpload::key);
  return page;
}

Result<> LocalFs::abort_upload(std::string_view key, std::string_view upload_id,
                               const CallOptions& options) {
  VARVE_TRY(check_key(key));
  VARVE_TRY(options.check(key, clock_));
  VARVE_TRY(check_root());
  return abort_unfinished_upload(root_, key, upload_id);
}

Result<LocalFs::OpenObject> LocalFs::open_object(std::string_view key) const {
  VARVE_TRY(check_key(key));
  struct stat status{};
  const auto open = [&]() -> Result<OpenObject> {
    VARVE_ASSIGN(const Directory parent, open_parent(key));
    VARVE_ASSIGN(Descriptor file, open_regular_file(parent, name_of(key), status));
    return OpenObject{.descriptor = std::move(file),
                      .info = {.key = std::string(key),
                               .size = static_cast<uint64_t>(status.st_size),
                               .last_modified = local_fs::modification_time(status)},
                      .shown = parent.shown(name_of(key))};
  };
  auto object = open();
  if (object.failed_with(ErrorCode::kNotFound)) VARVE_TRY(check_root());
  return object;
}

Result<ObjectInfo> LocalFs::get(std::string_view key, const ByteRange& range, const ByteSink& sink,
                                const CallOptions& options) {
  VARVE_TRY(options.check(key, clock_));
  VARVE_ASSIGN(OpenObject object, open_object(key));
  VARVE_ASSIGN(const ByteInterval interval, resolve_range(range, object.info.size, key));
  VARVE_TRY(sink.start(object.info));
  const uint64_t end = interval.start + interval.size;
  Bytes buffer(std::min<uint64_t>(interval.size, kChunkSize));
  for (uint64_t offset = interval.start; offset < end;) {
    VARVE_TRY(options.check(key, clock_));
    const auto chunk = std::span(buffer).first(std::min<uint64_t>(end - offset, buffer.size()));
    VARVE_ASSIGN(const size_t count,
                 local_fs::read_at(object.descriptor, offset, chunk, object.shown));
    if (count < chunk.size()) {
      return make_error(ErrorCode::kUnavailable, "{} was cut to {} bytes while it was read",
                        object.shown, offset + count);
    }
    VARVE_TRY(sink(chunk));
    offset += count;
  }
  return std::move(object.info);
}

Result<ObjectInfo> LocalFs::head(std::string_view key, const CallOptions& options) {
  VARVE_TRY(options.check(key, clock_));
  VARVE_ASSIGN(OpenObject object, open_object(key));
  return std::move(object.info);
}

Result<std::vector<FailedRemoval>> LocalFs::remove(const std::vector<std::string>& keys,
                                                   const CallOptions& options) {
  VARVE_TRY(check_removal(traits_, keys));
  for (const std::string& key : keys) VARVE_TRY(check_key(key));
  VARVE_TRY(check_root());
  // Those of one directory together: it is opened and synced once.
  std::map<std::string_view, std::vector<std::string_view>> by_parent;
  for (const std::string_view key : keys) by_parent[parent_of(key)].push_back(key);
  std::vector<FailedRemoval> failed;
  for (const auto& [path, children] : by_parent) {
    VARVE_TRY(options.check("removal", clock_));
    const auto parent = open_parent(children.front());
    if (parent.failed_with(ErrorCode::kNotFound)) continue;
    const auto remove_one = [&](std::string_view key) {
      return parent.ok() ? remove_object(*parent, name_of(key)) : Result<>(parent.error());
    };
    std::vector<std::string_view> removed;
    for (const std::string_view key : children) {
      if (auto result = remove_one(key); result.ok()) {
        removed.push_back(key);
      } else {
        failed.push_back({std::string(key), std::move(result).error()});
      }
    }
    if (removed.empty()) continue;
    if (const auto synced = local_fs::sync(parent->descriptor, parent->path.string());
        !synced.ok()) {
      for (const auto key : removed) failed.push_back({std::string(key), synced.error()});
    }
  }
  return failed;
}

Result<> create_local_root(const std::filesystem::path& root) {
  if (::mkdir(root.c_str(), 0700) == 0) {
    const auto parent = (root / "..").lexically_normal();
    return sync_directory(parent.empty() ? "." : parent);
  }
  if (errno == ENOENT) {
    return make_error(ErrorCode::kNotFound,
                      "cannot create storage directory {}: the directory above it does not exist; "
                      "create that, or check the path and whether its file system is mounted",
                      root.string());
  }
  if (errno == EEXIST) {
    std::error_code ignored;
    // It may have been made a moment ago, by one who was killed before the sync.
    if (std::filesystem::is_directory(root, ignored)) return sync_file_system(root);
    return make_error(ErrorCode::kInvalidArgument, "{} is not a directory: it cannot be a storage",
                      root.string());
  }
  return system_error(errno, fmt::format("cannot create storage directory {}", root.string()));
}

}  // namespace varve
