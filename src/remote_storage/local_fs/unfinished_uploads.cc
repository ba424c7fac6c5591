#include "remote_storage/local_fs/unfinished_uploads.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace varve::local_fs {
namespace {

// As check_object_key() allows.
constexpr size_t kMaximumKeySize = 1024;

std::string mark_of(std::string_view file) {
  return std::string(file) + std::string(kMarkSuffix);
}

// NotFound when there is none, or a file that is no mark.
Result<UnfinishedUpload> read_mark(const Directory& directory, std::string_view file) {
  const std::string name = mark_of(file);
  struct stat status{};
  VARVE_ASSIGN(const Descriptor mark, open_regular_file(directory, name, status));
  Bytes content(kMaximumKeySize + 1);
  VARVE_ASSIGN(const size_t size, read_at(mark, 0, content, directory.shown(name)));
  UnfinishedUpload upload{.key = std::string(as_text(ByteView(content).first(size))),
                          .upload_id = std::string(file),
                          .started_at = modification_time(status)};
  // Its writer died before it had written the key, or somebody else put it there.
  if (!check_object_key(upload.key).ok()) {
    return make_error(ErrorCode::kNotFound, "{} holds no key", directory.shown(name));
  }
  return upload;
}

Result<> remove_name(const Directory& directory, const std::string& name) {
  if (unlinkat(directory.descriptor.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return system_error(errno, fmt::format("cannot remove {}", directory.shown(name)));
}

}  // namespace

Result<UploadMark> UploadMark::create(const Directory& root, const TemporaryFile& file,
                                      std::string_view key) {
  VARVE_ASSIGN(Directory directory, open_directory(root, kTemporaryDirectory));
  std::string name = mark_of(file.name());
  const Descriptor mark(openat(directory.descriptor.get(), name.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (mark.get() < 0) {
    return system_error(errno, fmt::format("cannot create {}", directory.shown(name)));
  }
  const std::string shown = directory.shown(name);
  UploadMark created(std::move(directory), std::move(name));
  VARVE_TRY(write_at(mark, 0, as_bytes(key), shown));
  return created;
}

UploadMark::~UploadMark() {
  if (directory_.descriptor.get() >= 0) {
    unlinkat(directory_.descriptor.get(), name_.c_str(), 0);
  }
}

Result<std::vector<UnfinishedUpload>> list_unfinished_uploads(const Directory& root,
                                                              std::string_view prefix) {
  std::vector<UnfinishedUpload> uploads;
  const auto directory = open_directory(root, kTemporaryDirectory);
  if (directory.failed_with(ErrorCode::kNotFound)) return uploads;
  if (!directory.ok()) return directory.error();
  VARVE_ASSIGN(const auto entries, read_entries(*directory));
  for (const Entry& entry : entries) {
    if (!entry.name.ends_with(kMarkSuffix)) continue;
    const auto file =
        std::string_view(entry.name).substr(0, entry.name.size() - kMarkSuffix.size());
    auto upload = read_mark(*directory, file);
    if (upload.failed_with(ErrorCode::kNotFound)) continue;
    if (!upload.ok()) return upload.error();
    if (!upload->key.starts_with(prefix)) continue;
    VARVE_ASSIGN(const Holder holder, holder_of(*directory, file));
    if (holder == Holder::kNobody) uploads.push_back(*std::move(upload));
  }
  return uploads;
}

Result<> abort_unfinished_upload(const Directory& root, std::string_view key,
                                 std::string_view upload_id) {
  if (!is_temporary_name(upload_id)) {
    return make_error(ErrorCode::kInvalidArgument, "'{}' is no upload ID of this storage",
                      upload_id);
  }
  const auto directory = open_directory(root, kTemporaryDirectory);
  if (directory.failed_with(ErrorCode::kNotFound)) return {};
  if (!directory.ok()) return directory.error();
  const auto upload = read_mark(*directory, upload_id);
  if (upload.failed_with(ErrorCode::kNotFound)) return {};
  if (!upload.ok()) return upload.error();
  if (upload->key != key) return {};
  VARVE_ASSIGN(const Holder holder, holder_of(*directory, upload_id));
  if (holder == Holder::kSomebody) {
    return make_error(ErrorCode::kConflict, "the upload of {} is still being sent", key);
  }
  VARVE_TRY(remove_name(*directory, std::string(upload_id)));
  return remove_name(*directory, mark_of(upload_id));
}

}  // namespace varve::local_fs
