// A layer file of which only some frames are here, and which knows which.
//
//   <layer>.partial   the file itself, sparse: each frame at its place
//   <layer>.frames    the frame map
//
// Data is synced before the map says that it is there: after a crash the map may know of less than
// the file holds, never of more. When the last frame has come and the whole is what the manifest
// says, the file gets the layer's own name and the map goes.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "fs/file.h"
#include "storage_sync/frame_map.h"
#include "storage_sync/layer_frames.h"

namespace varve {

inline constexpr std::string_view kPartialSuffix = ".partial";
inline constexpr std::string_view kFrameMapSuffix = ".frames";

// Raw bytes after which the map is written: what a crash may cost to fetch again, against a sync
// every so often.
inline constexpr uint64_t kFrameMapInterval = 32ULL << 20;

// Raw frames.
class PartialLayerFile : public LayerFrames {
 public:
  // In `directory`, going on with what is there of an earlier time. Whatever there is of another
  // layer of that name, or without a map, is dropped. Conflict while another has it open.
  static Result<std::unique_ptr<PartialLayerFile>> open(const LayerEntry& layer,
                                                        const std::filesystem::path& directory,
                                                        uint64_t map_interval = kFrameMapInterval);
  // Without a name, and gone with this object.
  static Result<std::unique_ptr<PartialLayerFile>> scratch(const LayerEntry& layer,
                                                           const std::filesystem::path& directory);
  // Keeps what is here for the next time.
  ~PartialLayerFile() override;

  FrameForm form() const override { return FrameForm::kRaw; }
  size_t frame_count() const override { return frames_.size(); }
  uint64_t size() const override { return layer_.size; }
  const std::filesystem::path& path() const override { return file_.path(); }

  std::shared_ptr<const FrameTable> table() const override;
  void set_table(const StoredMember& stored, FrameTable table) override;

  bool has(size_t frame) const override;
  uint64_t present_bytes() const override;
  // From time to time this syncs and writes the map.
  Result<> put(size_t frame, const Frame& entry, ByteView raw) override;
  // Only what was kept over a restart is compared with its checksum.
  Result<bool> read_at(uint64_t offset, std::span<uint8_t> out) override;
  Result<size_t> drop_damaged() override;
  void release_memory() override {}

  // Of a file whose frames are all here, and that nobody uses any more: checks the whole and gives
  // it its name, durably. False when frames were damaged and have to be put again. Corrupted when
  // every frame is what came and the whole is not what the manifest says; it is then removed.
  Result<bool> publish();

 private:
  enum class FrameState : uint8_t {
    kAbsent,
    kUnchecked,  // From an earlier time: to be compared with its checksum before it is used.
    kPresent,
  };
  struct FrameEntry {
    FrameState state = FrameState::kAbsent;
    uint64_t checksum = 0;
  };

  PartialLayerFile(LayerEntry layer, File file) : layer_(std::move(layer)), file_(std::move(file)) {
    frames_.resize(varve::frame_count(layer_.size));
  }
  Result<> save();
  Result<bool> check_frame(size_t frame);
  void adopt(const FrameMap& map);
  void remove_files();

  // Empty of a scratch file.
  std::filesystem::path path_;
  std::filesystem::path map_path_;
  uint64_t map_interval_ = kFrameMapInterval;
  const LayerEntry layer_;
  File file_;

  mutable std::mutex mutex_;
  std::shared_ptr<const FrameTable> table_;
  StoredMember table_stored_;
  std::vector<FrameEntry> frames_;
  uint64_t present_bytes_ = 0;
  uint64_t unsaved_bytes_ = 0;
  bool saving_ = false;
  // Set once what was written can't be told from what was not: a sync failed, or it is published.
  bool closed_ = false;
};

// Removes what is left of partial layer files in a directory whose layers are all whole.
Result<> remove_partial_layer_files(const std::filesystem::path& directory);

}  // namespace varve
