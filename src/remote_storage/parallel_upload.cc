#include "remote_storage/parallel_upload.h"

#include <algorithm>
#include <utility>

namespace varve {

Result<std::unique_ptr<ParallelUpload>> ParallelUpload::start(RemoteStorage& storage,
                                                              ThreadPool& pool,
                                                              std::string_view key,
                                                              const Options& upload,
                                                              const CallOptions& options) {
  std::unique_ptr<ParallelUpload> started(new ParallelUpload(pool, upload, options));
  VARVE_ASSIGN(started->upload_, storage.start_multipart(key, upload.part_size, options));
  started->buffer_ = started->take_spare();
  return started;
}

ParallelUpload::~ParallelUpload() {
  // The parts in flight refer to the upload, which must outlive them.
  for (Part& part : in_flight_) part.sent.wait();
}

Result<> ParallelUpload::append(ByteView bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    const size_t room = upload_options_.part_size - buffer_.size();
    const ByteView taken = bytes.first(std::min(room, bytes.size()));
    buffer_.insert(buffer_.end(), taken.begin(), taken.end());
    bytes = bytes.subspan(taken.size());
    if (buffer_.size() == upload_options_.part_size) VARVE_TRY(send_buffer());
  }
  return {};
}

Result<> ParallelUpload::finish() {
  if (!buffer_.empty() || parts_ == 0) VARVE_TRY(send_buffer());
  while (!in_flight_.empty()) VARVE_TRY(wait_for_oldest());
  return upload_->complete(parts_, options_);
}

Result<> ParallelUpload::send_buffer() {
  while (in_flight_.size() >= upload_options_.parallel_parts) VARVE_TRY(wait_for_oldest());
  Part& part = in_flight_.emplace_back(Part{.body = std::exchange(buffer_, take_spare())});
  part.sent = pool_.submit([this, number = parts_++, body = ByteView(part.body)] {
    return upload_->upload_part(number, body, options_);
  });
  return {};
}

Result<> ParallelUpload::wait_for_oldest() {
  Part& oldest = in_flight_.front();
  auto sent = oldest.sent.get();
  oldest.body.clear();
  spare_.push_back(std::move(oldest.body));
  in_flight_.pop_front();
  return sent;
}

Bytes ParallelUpload::take_spare() {
  Bytes buffer;
  if (spare_.empty()) {
    buffer.reserve(upload_options_.part_size);
  } else {
    buffer = std::move(spare_.back());
    spare_.pop_back();
  }
  return buffer;
}

}  // namespace varve
