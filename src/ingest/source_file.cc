#include "ingest/source_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace varve {
namespace {

Result<struct stat> status_of(const File& file) {
  struct stat status{};
  if (fstat(file.descriptor(), &status) != 0) {
    return system_error(errno, fmt::format("cannot examine {}", file.path().string()));
  }
  return status;
}

Error changed(const File& file) {
  return make_error(ErrorCode::kConflict,
                    "{} changed while it was read: stop what writes to it and repeat",
                    file.path().string());
}

}  // namespace

Result<SourceFile> SourceFile::open(const std::filesystem::path& path, uint64_t expected_size,
                                    bool may_be_longer) {
  VARVE_ASSIGN(File file, File::open(path, O_RDONLY | O_NOCTTY));
  VARVE_ASSIGN(const struct stat status, status_of(file));
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size < expected_size || (size > expected_size && !may_be_longer)) return changed(file);
  // Only advice: a file system that does not take it is read all the same.
  (void)posix_fadvise(file.descriptor(), 0, 0, POSIX_FADV_SEQUENTIAL);
  return SourceFile(std::move(file), size, status.st_mtim);
}

Result<> SourceFile::read(std::span<uint8_t> out) {
  VARVE_ASSIGN(const size_t count, file_.read_at(offset_, out));
  if (count != out.size()) return changed(file_);
  offset_ += count;
  // The disk works on the next piece while the caller is busy with this one.
  if (offset_ < size_) {
    (void)posix_fadvise(file_.descriptor(), static_cast<off_t>(offset_),
                        static_cast<off_t>(2 * out.size()), POSIX_FADV_WILLNEED);
  }
  return {};
}

Result<> SourceFile::check_unchanged() const {
  VARVE_ASSIGN(const struct stat status, status_of(file_));
  if (static_cast<uint64_t>(status.st_size) != size_ || status.st_mtim.tv_sec != modified_.tv_sec ||
      status.st_mtim.tv_nsec != modified_.tv_nsec) {
    return changed(file_);
  }
  return {};
}

}  // namespace varve
