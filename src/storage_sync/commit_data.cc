#include "storage_sync/commit_data.h"

#include <fcntl.h>

#include <deque>
#include <future>

#include "fs/file.h"
#include "storage_sync/frame_codec.h"
#include "storage_sync/frame_stream.h"
#include "storage_sync/object_reader.h"

namespace varve {

CommitData::CommitData(const SyncContext& context, const LogName& log, const Nonce& nonce,
                       const CallOptions& options)
    : context_(context),
      log_(log),
      nonce_(nonce),
      options_(options),
      archive_(encode_object_header(log.is_tenant_log() ? ObjectKind::kTenantArchive
                                                        : ObjectKind::kTimelineArchive)) {
  // Growing by doubling would hold the content twice; pages that are not written cost nothing.
  archive_.reserve(context.options.inline_limit);
}

Result<> CommitData::add_layer(const std::filesystem::path& path, const LayerEntry& layer,
                               const std::function<void(uint64_t)>& progress) {
  LayerEntry added = layer;
  VARVE_TRY(add_frames(path, added, progress));
  return note_added(std::move(added));
}

Result<> CommitData::copy_layer(const LayerEntry& layer) {
  const auto copy = [&](LayerEntry& copied) -> Result<> {
    VARVE_ASSIGN(const ObjectName from, ObjectName::parse_file_name(log_, layer.stored.object));
    VARVE_ASSIGN(const FrameTable old_table,
                 read_frame_table(context_.storage, log_, layer, options_));
    FrameTable table;
    const auto append_checked = [&](size_t frame, const Bytes& stored) -> Result<> {
      VARVE_TRY(check_frame(old_table[frame], stored));
      return append_frame(old_table[frame], stored, table);
    };
    VARVE_TRY(read_stored_frames(
        context_.storage, from, old_table, {0, old_table.size()}, [](size_t) { return true; },
        append_checked, options_));
    return append_table(table, copied);
  };
  LayerEntry copied = layer;
  VARVE_TRY(copy(copied).context(
      fmt::format("copying layer {} out of {}", layer.name.to_string(), layer.stored.object)));
  return note_added(std::move(copied));
}

Result<> CommitData::note_added(LayerEntry layer) {
  layer.stored.object = pack_ ? pack_->name().file_name() : std::string();
  layers_.push_back(std::move(layer));
  if (pack_ && pack_->size() >= context_.options.pack_limit) VARVE_TRY(finish_pack());
  return {};
}

Result<> CommitData::add_frames(const std::filesystem::path& path, LayerEntry& layer,
                                const std::function<void(uint64_t)>& progress) {
  VARVE_ASSIGN(const File file, File::open(path, O_RDONLY));
  VARVE_ASSIGN(const uint64_t size, file.size());
  if (size != layer.size) {
    return make_error(ErrorCode::kCorrupted, "layer file {} has {} bytes, {} were written",
                      path.string(), size, layer.size);
  }

  FrameTable table;
  Checksum128Stream checksum;
  std::deque<std::future<Result<EncodedFrame>>> pending;
  const size_t window = 2 * context_.codec_pool.size();
  const auto append_oldest = [&]() -> Result<> {
    auto encoded = pending.front().get();
    pending.pop_front();
    if (!encoded.ok()) return encoded.error();
    const uint64_t raw_size = encoded->raw_size;
    VARVE_TRY(append_frame({.stored_size = static_cast<uint32_t>(encoded->stored.size()),
                            .raw_size = encoded->raw_size,
                            .codec = encoded->codec,
                            .checksum = encoded->checksum},
                           encoded->stored, table));
    progress(raw_size);
    return {};
  };

  for (uint64_t at = 0; at < size; at += kFrameSize) {
    VARVE_TRY(options_.check("upload of layer file " + path.string()));
    Bytes raw(std::min<uint64_t>(kFrameSize, size - at));
    VARVE_TRY(file.read_exactly_at(at, raw));
    checksum.update(raw);
    while (pending.size() >= window) VARVE_TRY(append_oldest());
    pending.push_back(context_.codec_pool.submit(
        [raw = std::move(raw), level = context_.options.compression_level]() mutable {
          return encode_frame(std::move(raw), level);
        }));
  }
  while (!pending.empty()) VARVE_TRY(append_oldest());
  if (checksum.digest() != layer.checksum) {
    return make_error(ErrorCode::kCorrupted,
                      "layer file {} is not what was written: its checksum does not match",
                      path.string());
  }
  return append_table(table, layer);
}

Result<> CommitData::append_frame(Frame frame, ByteView stored, FrameTable& table) {
  VARVE_TRY(append(stored));
  // Only now is it known: the data may have moved into a pack.
  frame.offset = offset() - stored.size();
  table.push_back(frame);
  return {};
}

Result<> CommitData::append_table(const FrameTable& table, LayerEntry& layer) {
  const Bytes encoded_table = encode_frame_table(table);
  VARVE_TRY(append(encoded_table));
  layer.stored.table_offset = offset() - encoded_table.size();
  layer.stored.table_size = static_cast<uint32_t>(encoded_table.size());
  layer.stored.table_checksum = checksum64(encoded_table);
  return {};
}

Result<> CommitData::finish() {
  if (pack_) return finish_pack();
  return {};
}

uint64_t CommitData::offset() const {
  return pack_ ? pack_->size() : archive_.size();
}

Result<> CommitData::append(ByteView bytes) {
  if (!pack_ &&
      (next_part_ > 0 || archive_.size() + bytes.size() > context_.options.inline_limit)) {
    VARVE_TRY(start_pack());
  }
  if (pack_) return pack_->append(bytes);
  archive_.insert(archive_.end(), bytes.begin(), bytes.end());
  return {};
}

Result<> CommitData::start_pack() {
  const bool first = next_part_ == 0;
  VARVE_ASSIGN(pack_,
               PackWriter::start(context_, ObjectName::pack(log_, nonce_, next_part_++), options_));
  VARVE_TRY(pack_->append(encode_object_header(ObjectKind::kPack)));
  first_in_pack_ = layers_.size();
  if (!first) return {};
  // Everything so far moves from the archive into the first pack; since both headers have the same
  // size, every offset stays right.
  VARVE_TRY(pack_->append(ByteView(archive_).subspan(kObjectHeaderSize)));
  archive_.resize(kObjectHeaderSize);
  archive_.shrink_to_fit();
  for (LayerEntry& layer : layers_) layer.stored.object = pack_->name().file_name();
  first_in_pack_ = 0;
  return {};
}

Result<> CommitData::finish_pack() {
  const std::unique_ptr<PackWriter> pack = std::move(pack_);
  return pack->finish(
      {.id = {log_.tenant, log_.timeline},
       .nonce = nonce_,
       .part = pack->name().part,
       .created_at = context_.clock.now(),
       .writer_version = VARVE_VERSION,
       .members = std::vector<LayerEntry>(layers_.begin() + static_cast<ptrdiff_t>(first_in_pack_),
                                          layers_.end())});
}

}  // namespace varve
