// A layer file whose frames are kept as the remote storage has them, and decoded when they are
// read: for who reads all of it about once and in order. What is written to the disk, and stays in
// the page cache, is then as small as what was fetched.
#pragma once

#include <condition_variable>
#include <list>
#include <mutex>
#include <vector>

#include "fs/file.h"
#include "runtime/thread_pool.h"
#include "storage_sync/layer_frames.h"

namespace varve {

// A scratch file, without a name and gone with this object. Who reads frame after frame has the
// next one decoded meanwhile.
class StoredLayerFile : public LayerFrames, public std::enable_shared_from_this<StoredLayerFile> {
 public:
  // Decoded frames that are kept, 1 MiB each: what two readers read, and what they read next.
  static constexpr size_t kKeptFrames = 4;

  // In `directory`. The pool outlives it.
  static Result<std::shared_ptr<StoredLayerFile>> scratch(const LayerEntry& layer,
                                                          const std::filesystem::path& directory,
                                                          ThreadPool& codec_pool);

  FrameForm form() const override { return FrameForm::kStored; }
  size_t frame_count() const override { return frames_.size(); }
  uint64_t size() const override { return size_; }
  const std::filesystem::path& path() const override { return file_.path(); }

  std::shared_ptr<const FrameTable> table() const override { return nullptr; }
  void set_table(const StoredMember& /*stored*/, FrameTable /*table*/) override {}
  bool has(size_t frame) const override;
  uint64_t present_bytes() const override;
  Result<> put(size_t frame, const Frame& entry, ByteView stored) override;
  Result<bool> read_at(uint64_t offset, std::span<uint8_t> out) override;
  Result<size_t> drop_damaged() override;
  void release_memory() override;

 private:
  using RawPointer = std::shared_ptr<const uint8_t[]>;
  enum class State : uint8_t {
    kWaiting,  // For a thread of the pool, unless a reader comes first.
    kDecoding,
    kDecoded,
  };
  struct DecodedFrame {
    size_t frame = 0;
    State state = State::kWaiting;
    RawPointer raw;  // Once it is decoded.
  };
  using Decoded = std::list<DecodedFrame>;

  StoredLayerFile(const LayerEntry& layer, File file, ThreadPool& codec_pool)
      : name_(layer.name),
        size_(layer.size),
        file_(std::move(file)),
        codec_pool_(codec_pool),
        frames_(varve::frame_count(layer.size)) {}

  // Null when the frame is not here.
  Result<RawPointer> decoded(size_t frame);
  Result<RawPointer> decode(size_t frame, const Frame& entry);
  Result<Bytes> read_stored(size_t frame, const Frame& entry) const;
  void decode_ahead(size_t frame);

  // With the lock held.
  Decoded::iterator find(size_t frame);
  DecodedFrame& add(size_t frame, State state);
  bool is_next(size_t frame);
  void drop(size_t frame);

  const LayerName name_;
  const uint64_t size_;
  File file_;  // Each stored frame lies where the raw one would: it is never larger.
  ThreadPool& codec_pool_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Of those that are here.
  std::vector<std::optional<Frame>> frames_;
  uint64_t present_bytes_ = 0;
  Decoded decoded_;  // Most recently used first.
};

}  // namespace varve
