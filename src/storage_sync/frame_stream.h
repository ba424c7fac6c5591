// Reading frames of a member of an object: one request, every frame checked and decoded.
//
// Errors do not name object and member: the caller knows them. Corrupted also where the object ends
// too early, and where its header, if it is read on the way, is not that of such an object.
#pragma once

#include <functional>
#include <map>

#include "storage_sync/manifest.h"
#include "storage_sync/object_format.h"
#include "storage_sync/sync_context.h"

namespace varve {

// Frames from `first` on, before `end`.
struct FrameRange {
  size_t first = 0;
  size_t end = 0;

  size_t size() const { return end - first; }
  bool empty() const { return end <= first; }
  bool operator==(const FrameRange&) const = default;
};

// Receives the raw bytes of a frame. An error ends the reading and becomes its result.
using FrameSink = std::function<Result<>(size_t frame, Bytes raw)>;

// Reads through from the first frame of `range` to the last, which must lie in the object in their
// order; hands on those for which `is_wanted` says so, as they are stored. The sink runs on the
// calling thread, in order, and checks them.
using StoredFrameSink = std::function<Result<>(size_t frame, Bytes stored)>;
Result<> read_stored_frames(RemoteStorage& storage, const ObjectName& object,
                            const FrameTable& table, FrameRange range,
                            const std::function<bool(size_t frame)>& is_wanted,
                            const StoredFrameSink& sink, const CallOptions& options);

// The same, checked and decoded on context.codec_pool, a bounded number at a time.
Result<> read_frames(const SyncContext& context, const ObjectName& object, const FrameTable& table,
                     FrameRange range, const std::function<bool(size_t frame)>& is_wanted,
                     const FrameSink& sink, const CallOptions& options);

struct MemberTail {
  FrameTable table;
  // Those that came whole, by their numbers; as they are stored, and not checked yet.
  std::map<size_t, Bytes> frames;
};
// Reads the frame table and what lies before it, about `tail_size` stored bytes: an SST keeps its
// index and its footer there.
Result<MemberTail> read_member_tail(RemoteStorage& storage, const ObjectName& object,
                                    const LayerEntry& layer, uint64_t tail_size,
                                    const CallOptions& options);

// The table, checked against what the layer's entry says of it. Corrupted when it does not fit.
Result<FrameTable> check_frame_table(const LayerEntry& layer, ByteView bytes);

// Fails where the size of the table cannot be right, so that it need not be read.
Result<> check_frame_table_size(const LayerEntry& layer);

// An object that is whole never ends before the bytes that a manifest promises: where the storage
// says so (InvalidArgument), the object was cut off (Corrupted).
template <typename T>
Result<T> within_object(Result<T> read) {
  if (!read.failed_with(ErrorCode::kInvalidArgument)) return read;
  return Error(ErrorCode::kCorrupted, read.error().message());
}

// Checks the first kObjectHeaderSize bytes of an object.
Result<> check_header(ObjectKind expected, ByteView header);

}  // namespace varve
