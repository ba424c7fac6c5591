#include "fs/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace varve {
namespace {

Error file_error(std::string_view action, const std::filesystem::path& path) {
  return system_error(errno, fmt::format("cannot {} {}", action, path.string()));
}

}  // namespace

Result<File> File::open(const std::filesystem::path& path, int flags, mode_t mode) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (descriptor < 0) {
    return file_error((flags & O_ACCMODE) == O_RDONLY ? "open" : "write", path);
  }
  return File(path, descriptor);
}

Result<File> File::open_scratch(const std::filesystem::path& path) {
  VARVE_ASSIGN(File file, open(path, O_RDWR | O_CREAT | O_EXCL));
  if (unlink(path.c_str()) != 0) return file_error("remove", path);
  return file;
}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<uint64_t> File::size() const {
  struct stat status{};
  if (fstat(descriptor_, &status) != 0) return file_error("examine", path_);
  return static_cast<uint64_t>(status.st_size);
}

Result<size_t> File::read_at(uint64_t offset, std::span<uint8_t> out) const {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t count =
        pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (count < 0) {
      if (errno == EINTR) continue;
      return file_error("read", path_);
    }
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  return done;
}

Result<> File::read_exactly_at(uint64_t offset, std::span<uint8_t> out) const {
  VARVE_ASSIGN(const size_t count, read_at(offset, out));
  if (count == out.size()) return {};
  return make_error(ErrorCode::kCorrupted, "{} ends at byte {}: {} more were expected",
                    path_.string(), offset + count, out.size() - count);
}

Result<> File::write_at(uint64_t offset, ByteView bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = pwrite(descriptor_, bytes.data() + done, bytes.size() - done,
                                 static_cast<off_t>(offset + done));
    if (count < 0) {
      if (errno == EINTR) continue;
      return file_error("write", path_);
    }
    done += static_cast<size_t>(count);
  }
  return {};
}

Result<> File::append(ByteView bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::write(descriptor_, bytes.data() + done, bytes.size() - done);
    if (count < 0) {
      if (errno == EINTR) continue;
      return file_error("write", path_);
    }
    done += static_cast<size_t>(count);
  }
  return {};
}

Result<> File::truncate(uint64_t size) {
  if (ftruncate(descriptor_, static_cast<off_t>(size)) != 0) return file_error("write", path_);
  return {};
}

Result<> File::sync() {
  if (fsync(descriptor_) != 0) return file_error("sync", path_);
  return {};
}

}  // namespace varve
