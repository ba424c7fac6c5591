#include "storage_sync/frame_stream.h"

#include <deque>
#include <future>

#include "base/checksum.h"
#include "remote_storage/streams.h"
#include "storage_sync/frame_codec.h"

namespace varve {
namespace {

// Decodes frames on a pool and hands them on in their order, with a bounded number in flight.
class OrderedDecoder {
 public:
  OrderedDecoder(ThreadPool& pool, const FrameSink& sink)
      : pool_(pool), sink_(sink), window_(2 * pool.size()) {}
  ~OrderedDecoder() {
    for (auto& [number, raw] : pending_) raw.wait();
  }
  OrderedDecoder(const OrderedDecoder&) = delete;
  OrderedDecoder& operator=(const OrderedDecoder&) = delete;

  Result<> add(size_t number, const Frame& frame, Bytes stored) {
    while (pending_.size() >= window_) VARVE_TRY(hand_on_oldest());
    pending_.emplace_back(number,
                          pool_.submit([frame, stored = std::move(stored)]() -> Result<Bytes> {
                            Bytes raw(frame.raw_size);
                            VARVE_TRY(decode_frame(frame, stored, raw));
                            return raw;
                          }));
    return {};
  }

  // Nothing more once a frame or the sink has failed.
  Result<> finish() {
    while (!failed_ && !pending_.empty()) VARVE_TRY(hand_on_oldest());
    return {};
  }

 private:
  Result<> hand_on_oldest() {
    const size_t number = pending_.front().first;
    auto raw = pending_.front().second.get();
    pending_.pop_front();
    failed_ = true;
    if (!raw.ok()) return raw.error();
    VARVE_TRY(sink_(number, std::move(*raw)));
    failed_ = false;
    return {};
  }

  ThreadPool& pool_;
  const FrameSink& sink_;
  const size_t window_;
  bool failed_ = false;
  std::deque<std::pair<size_t, std::future<Result<Bytes>>>> pending_;
};

}  // namespace

Result<> check_header(ObjectKind expected, ByteView header) {
  VARVE_ASSIGN(const ObjectKind kind, decode_object_header(header));
  if (kind == expected) return {};
  return make_error(ErrorCode::kCorrupted, "its header says that it is a {}, not a {}", name(kind),
                    name(expected));
}

Result<> check_frame_table_size(const LayerEntry& layer) {
  if (layer.stored.table_size == frame_table_size(layer.size)) return {};
  return make_error(ErrorCode::kCorrupted, "a frame table of {} bytes does not fit {} bytes",
                    layer.stored.table_size, layer.size);
}

Result<FrameTable> check_frame_table(const LayerEntry& layer, ByteView bytes) {
  if (checksum64(bytes) != layer.stored.table_checksum) {
    return make_error(ErrorCode::kCorrupted, "the frame table's checksum does not match");
  }
  return decode_frame_table(bytes, layer.size);
}

Result<> read_stored_frames(RemoteStorage& storage, const ObjectName& object,
                            const FrameTable& table, FrameRange range,
                            const std::function<bool(size_t frame)>& is_wanted,
                            const StoredFrameSink& sink, const CallOptions& options) {
  if (range.empty()) return {};
  for (size_t i = range.first; i + 1 < range.end; ++i) {
    if (table[i + 1].offset >= table[i].offset + table[i].stored_size) continue;
    return make_error(ErrorCode::kCorrupted, "the frames at bytes {} and {} overlap",
                      table[i].offset, table[i + 1].offset);
  }
  // Frames at the beginning of the object bring its header with them.
  const bool with_header = table[range.first].offset == kObjectHeaderSize;
  const uint64_t begin = with_header ? 0 : table[range.first].offset;
  const uint64_t end = table[range.end - 1].offset + table[range.end - 1].stored_size;

  uint64_t position = begin;
  size_t frame = range.first;
  Bytes header;
  Bytes stored;
  const auto collect = [&](ByteView bytes) -> Result<> {
    if (with_header && header.size() < kObjectHeaderSize) {
      const ByteView taken = bytes.first(std::min(kObjectHeaderSize - header.size(), bytes.size()));
      header.insert(header.end(), taken.begin(), taken.end());
      bytes = bytes.subspan(taken.size());
      position += taken.size();
      if (header.size() == kObjectHeaderSize) VARVE_TRY(check_header(object.kind, header));
    }
    while (!bytes.empty() && frame < range.end) {
      const uint64_t frame_end = table[frame].offset + table[frame].stored_size;
      const bool between = position < table[frame].offset;
      const uint64_t until = between ? table[frame].offset : frame_end;
      const ByteView taken = bytes.first(std::min<uint64_t>(until - position, bytes.size()));
      const bool wanted = !between && is_wanted(frame);
      if (wanted) {
        if (stored.empty()) stored.reserve(table[frame].stored_size);
        stored.insert(stored.end(), taken.begin(), taken.end());
      }
      bytes = bytes.subspan(taken.size());
      position += taken.size();
      if (position < frame_end) continue;
      if (wanted) VARVE_TRY(sink(frame, std::exchange(stored, {})));
      ++frame;
    }
    return {};
  };
  VARVE_TRY(
      within_object(storage.get(object.key(), ByteRange::between(begin, end), collect, options)));
  if (frame < range.end) {
    return make_error(ErrorCode::kCorrupted, "the object ends before the frame at byte {}",
                      table[frame].offset);
  }
  return {};
}

Result<> read_frames(const SyncContext& context, const ObjectName& object, const FrameTable& table,
                     FrameRange range, const std::function<bool(size_t frame)>& is_wanted,
                     const FrameSink& sink, const CallOptions& options) {
  OrderedDecoder decoder(context.codec_pool, sink);
  const auto decode = [&](size_t frame, Bytes stored) {
    return decoder.add(frame, table[frame], std::move(stored));
  };
  const auto got =
      read_stored_frames(context.storage, object, table, range, is_wanted, decode, options);
  // What came before a stream broke off need not be fetched again.
  const auto decoded = decoder.finish();
  return got.ok() ? decoded : got;
}

Result<MemberTail> read_member_tail(RemoteStorage& storage, const ObjectName& object,
                                    const LayerEntry& layer, uint64_t tail_size,
                                    const CallOptions& options) {
  const StoredMember& stored = layer.stored;
  VARVE_TRY(check_frame_table_size(layer));
  if (stored.table_offset < kObjectHeaderSize) {
    return make_error(ErrorCode::kCorrupted, "a frame table at byte {} lies in the header",
                      stored.table_offset);
  }
  const uint64_t before =
      std::min({tail_size, layer.size, stored.table_offset - kObjectHeaderSize});
  uint64_t begin = stored.table_offset - before;
  if (begin == kObjectHeaderSize) begin = 0;
  const uint64_t end = stored.table_offset + stored.table_size;
  VARVE_ASSIGN(const Bytes bytes,
               within_object(get_bytes(storage, object.key(), ByteRange::between(begin, end),
                                       end - begin, options)));
  if (bytes.size() != end - begin) {
    return make_error(ErrorCode::kCorrupted, "the object ends before its frame table does");
  }
  if (begin == 0) VARVE_TRY(check_header(object.kind, ByteView(bytes).first(kObjectHeaderSize)));
  MemberTail tail;
  VARVE_ASSIGN(tail.table, check_frame_table(layer, ByteView(bytes).last(stored.table_size)));
  for (size_t i = 0; i < tail.table.size(); ++i) {
    const Frame& frame = tail.table[i];
    if (frame.offset < begin || frame.offset + frame.stored_size > stored.table_offset) continue;
    const ByteView taken = ByteView(bytes).subspan(frame.offset - begin, frame.stored_size);
    tail.frames.emplace(i, Bytes(taken.begin(), taken.end()));
  }
  return tail;
}

}  // namespace varve
