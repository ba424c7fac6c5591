#include "storage_sync/verify/member_check.h"

#include <algorithm>

#include "remote_storage/streams.h"
#include "storage_sync/frame_codec.h"
#include "storage_sync/verify/object_examination.h"

namespace varve {
namespace {

// Takes the frames of a member in their order.
class FrameChecker {
 public:
  FrameChecker(const LayerEntry& layer, const FrameTable& table, const FrameProgress& progress)
      : layer_(layer), table_(table), progress_(progress) {}

  void take(ByteView stored) {
    const Frame& frame = table_[next_];
    raw_.resize(frame.raw_size);
    if (const auto decoded = decode_frame(frame, stored, raw_); decoded.ok()) {
      checksum_.update(raw_);
      check_.raw_bytes += raw_.size();
      ++next_;
    } else {
      miss(next_ + 1, decoded.error());
    }
    progress_(frame.stored_size);
  }

  // Frames up to `end` can't be had.
  void miss(size_t end, const Error& error) {
    const auto run = frames_between(next_, end);
    next_ = end;
    if (!check_.damage.empty() && check_.damage.back().frames->last + 1 == run.first) {
      check_.damage.back().frames->last = run.last;
      check_.damage.back().frames->layer_end = run.layer_end;
    } else {
      check_.damage.push_back({run, error});
    }
  }

  size_t next() const { return next_; }

  MemberCheck finish() {
    if (check_.damage.empty() && checksum_.digest() != layer_.checksum) {
      check_.damage.push_back(
          {{},
           make_error(ErrorCode::kCorrupted,
                      "each frame is what it was, and together they are not the layer file: its "
                      "checksum does not match")});
    }
    return std::move(check_);
  }

 private:
  FrameRun frames_between(size_t begin, size_t end) const {
    return {.first = begin,
            .last = end - 1,
            .layer_start = begin * kFrameSize,
            .layer_end = std::min<uint64_t>(layer_.size, end * kFrameSize)};
  }

  const LayerEntry& layer_;
  const FrameTable& table_;
  const FrameProgress& progress_;
  size_t next_ = 0;
  Bytes raw_;
  Checksum128Stream checksum_;
  MemberCheck check_;
};

// Frames `next` to `end` of the table lie one behind the other and come with one request.
Result<> check_adjacent_frames(const ObjectBytes& object, const FrameTable& table, size_t end,
                               FrameChecker& checker) {
  Bytes stored;
  const auto collect = [&](ByteView bytes) -> Result<> {
    while (!bytes.empty() && checker.next() < end) {
      const size_t size = table[checker.next()].stored_size;
      if (stored.empty() && bytes.size() >= size) {
        checker.take(bytes.first(size));
        bytes = bytes.subspan(size);
        continue;
      }
      const ByteView taken = bytes.first(std::min(size - stored.size(), bytes.size()));
      stored.insert(stored.end(), taken.begin(), taken.end());
      bytes = bytes.subspan(taken.size());
      if (stored.size() == size) {
        checker.take(stored);
        stored.clear();
      }
    }
    return {};
  };
  const Frame& last = table[end - 1];
  const auto read =
      object.read(table[checker.next()].offset, last.offset + last.stored_size, collect);
  // What is gone as a whole is no matter of frames.
  if (!read.ok() && (!tells_of_damage(read.code()) || read.failed_with(ErrorCode::kNotFound))) {
    return read;
  }
  if (checker.next() < end) {
    checker.miss(end,
                 make_error(ErrorCode::kCorrupted, "the object ends before the frame at byte {}",
                            table[checker.next()].offset));
  }
  return {};
}

Result<MemberCheck> check_frames(const ObjectBytes& object, const LayerEntry& layer,
                                 const FrameTable& table, const FrameProgress& progress) {
  FrameChecker checker(layer, table, progress);
  while (checker.next() < table.size()) {
    size_t end = checker.next() + 1;
    while (end < table.size() &&
           table[end].offset == table[end - 1].offset + table[end - 1].stored_size) {
      ++end;
    }
    VARVE_TRY(check_adjacent_frames(object, table, end, checker));
  }
  return checker.finish();
}

Result<MemberCheck> check_table_and_frames(const ObjectBytes& object, const LayerEntry& layer,
                                           VerifyDepth depth, const FrameProgress& progress) {
  VARVE_ASSIGN(const FrameTable table, read_frame_table(layer, [&](uint64_t start, uint64_t end) {
                 return object.read_all(start, end);
               }));
  if (depth == VerifyDepth::kReferences) return MemberCheck{};
  return check_frames(object, layer, table, progress);
}

}  // namespace

Result<> ObjectBytes::hold(uint64_t start, uint64_t end) {
  VARVE_ASSIGN(held_,
               get_bytes(storage_, key_, ByteRange::between(start, end), end - start, options_));
  held_from_ = start;
  return {};
}

Result<> ObjectBytes::read(uint64_t start, uint64_t end, const ByteSink& sink) const {
  if (start >= held_from_ && start <= end && end <= held_from_ + held_.size()) {
    return sink(ByteView(held_).subspan(start - held_from_, end - start));
  }
  VARVE_TRY(storage_.get(key_, ByteRange::between(start, end), sink, options_));
  return {};
}

Result<Bytes> ObjectBytes::read_all(uint64_t start, uint64_t end) const {
  Bytes bytes;
  VARVE_TRY(read(start, end, [&](ByteView part) -> Result<> {
    bytes.insert(bytes.end(), part.begin(), part.end());
    return {};
  }));
  if (bytes.size() == end - start) return bytes;
  return make_error(ErrorCode::kCorrupted, "the object ends before byte {}", end);
}

Result<MemberCheck> check_member(const ObjectBytes& object, const LayerEntry& layer,
                                 VerifyDepth depth, const FrameProgress& progress) {
  auto check = check_table_and_frames(object, layer, depth, progress);
  if (check.ok() || !tells_of_damage(check.code())) return check;
  return MemberCheck{.damage = {{{}, check.error()}}};
}

}  // namespace varve
