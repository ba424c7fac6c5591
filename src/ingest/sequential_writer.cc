#include "ingest/sequential_writer.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace varve {

Result<std::span<uint8_t>> SequentialWriter::extend(size_t size) {
  if (buffer_->used_ + size > WriteBuffer::kCapacity) VARVE_TRY(flush());
  const auto place = std::span(buffer_->bytes_).subspan(buffer_->used_, size);
  buffer_->used_ += size;
  return place;
}

Result<> SequentialWriter::append_zeros(uint64_t count) {
  if (count <= WriteBuffer::kCapacity) {
    VARVE_ASSIGN(const auto place, extend(static_cast<size_t>(count)));
    std::ranges::fill(place, uint8_t{0});
    return {};
  }
  VARVE_TRY(flush());
  // Reserved rather than left as a hole, so that the server does not find the disk full when it
  // fills the place.
  int error = 0;
  do {
    error = ::posix_fallocate(file_.descriptor(), static_cast<off_t>(written_),
                              static_cast<off_t>(count));
  } while (error == EINTR);
  if (error != 0) return system_error(error, fmt::format("cannot write {}", file_.path().string()));
  written_ += count;
  return {};
}

Result<> SequentialWriter::finish() {
  VARVE_TRY(flush());
  // Only a hint: the sync at the end of all files finds less left to do.
  (void)sync_file_range(file_.descriptor(), 0, 0, SYNC_FILE_RANGE_WRITE);
  return {};
}

Result<> SequentialWriter::flush() {
  VARVE_TRY(file_.write_at(written_, std::span(buffer_->bytes_).first(buffer_->used_)));
  written_ += buffer_->used_;
  buffer_->used_ = 0;
  return {};
}

}  // namespace varve
