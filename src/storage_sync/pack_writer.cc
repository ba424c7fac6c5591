#include "storage_sync/pack_writer.h"

#include "storage_sync/object_seal.h"

namespace varve {

Result<std::unique_ptr<PackWriter>> PackWriter::start(const SyncContext& context,
                                                      const ObjectName& pack,
                                                      const CallOptions& options) {
  std::unique_ptr<PackWriter> writer(new PackWriter(context, pack, options));
  VARVE_ASSIGN(writer->upload_,
               context.storage.start_multipart(pack.key(), context.options.part_size, options));
  writer->buffer_.reserve(context.options.part_size);
  return writer;
}

PackWriter::~PackWriter() {
  // The parts in flight refer to the upload, which must outlive them.
  for (auto& part : in_flight_) part.wait();
}

Result<> PackWriter::append(ByteView bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    const size_t room = context_.options.part_size - buffer_.size();
    const ByteView taken = bytes.first(std::min(room, bytes.size()));
    buffer_.insert(buffer_.end(), taken.begin(), taken.end());
    bytes = bytes.subspan(taken.size());
    if (buffer_.size() == context_.options.part_size) VARVE_TRY(send_buffer());
  }
  return {};
}

Result<> PackWriter::finish(const PackManifest& manifest) {
  VARVE_ASSIGN(const ObjectSeal seal, seal_object(ObjectKind::kPack, size_, manifest.encode(),
                                                  context_.options.compression_level));
  VARVE_TRY(append(seal.bytes));
  if (!buffer_.empty()) VARVE_TRY(send_buffer());
  while (!in_flight_.empty()) VARVE_TRY(wait_for_oldest());
  return upload_->complete(parts_, options_);
}

Result<> PackWriter::send_buffer() {
  while (in_flight_.size() >= context_.options.parallel_parts) VARVE_TRY(wait_for_oldest());
  Bytes part;
  part.reserve(context_.options.part_size);
  std::swap(part, buffer_);
  in_flight_.push_back(
      context_.transfer_pool.submit([this, number = parts_++, part = std::move(part)] {
        return upload_->upload_part(number, part, options_);
      }));
  return {};
}

Result<> PackWriter::wait_for_oldest() {
  auto sent = in_flight_.front().get();
  in_flight_.pop_front();
  return sent;
}

}  // namespace varve
