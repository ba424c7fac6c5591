// The frames of a layer file that are here: filled by a FrameFetcher, read as the file itself.
#pragma once

#include <filesystem>
#include <memory>
#include <span>

#include "base/result.h"
#include "storage_sync/manifest.h"
#include "storage_sync/object_format.h"

namespace varve {

enum class FrameForm : uint8_t {
  kRaw,
  kStored,  // As in the remote storage: mostly compressed.
};

// Thread-safe; a frame must not be put by two threads at once.
class LayerFrames {
 public:
  virtual ~LayerFrames() = default;

  // That they are put in.
  virtual FrameForm form() const = 0;
  virtual size_t frame_count() const = 0;
  // Of the layer file, raw bytes.
  virtual uint64_t size() const = 0;
  virtual const std::filesystem::path& path() const = 0;

  // The frame table, if it was kept from an earlier time.
  virtual std::shared_ptr<const FrameTable> table() const = 0;
  // `stored` is where it is from; it has frame_count() frames.
  virtual void set_table(const StoredMember& stored, FrameTable table) = 0;

  virtual bool has(size_t frame) const = 0;
  // That all frames that are here take.
  virtual uint64_t present_bytes() const = 0;

  // `bytes` is the frame in the form that is wanted, checked by the caller against `entry`, which
  // describes it.
  virtual Result<> put(size_t frame, const Frame& entry, ByteView bytes) = 0;

  // Fills `out`, which ends within the layer file. False when a frame that it needs is not here, or
  // is damaged: it is then reported and counts as not here.
  virtual Result<bool> read_at(uint64_t offset, std::span<uint8_t> out) = 0;

  // Compares every frame that is here with the checksum it came with; those that differ are
  // reported and no longer count as here. Returns how many.
  virtual Result<size_t> drop_damaged() = 0;

  // Lets go of what is only kept to be read faster.
  virtual void release_memory() = 0;
};

}  // namespace varve
