// The data of one commit: layers as frames, in memory while they are few, in packs
// once they are many.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "storage_sync/manifest.h"
#include "storage_sync/pack_writer.h"
#include "storage_sync/sync_context.h"

namespace varve {

// Not thread-safe; compresses on context.codec_pool. Holds at most inline_limit bytes plus a few
// frames and parts, whatever the size of the files.
class CommitData {
 public:
  // `nonce` is that of the commit's attempt; packs are named after it.
  CommitData(const SyncContext& context, const LogName& log, const Nonce& nonce,
             const CallOptions& options);

  // Reads the layer file at `path` and appends its frames. Corrupted when the file is not what
  // `layer` says, before anything refers to it.
  Result<> add_layer(const std::filesystem::path& path, const LayerEntry& layer,
                     const std::function<void(uint64_t raw_bytes)>& progress);

  // Appends the frames of a layer that is remote as they are, out of the object that holds them
  // now. Every one is checked on the way. NotFound when that object is absent.
  Result<> copy_layer(const LayerEntry& layer);

  // Completes the last pack, if there is one. Call once, after the last layer.
  Result<> finish();

  // The layers that were added. Those inside the archive of the commit itself have an empty
  // stored.object, since its name is known only when the commit takes its number.
  const std::vector<LayerEntry>& layers() const { return layers_; }
  // What the archive of the commit begins with: its header and the frames that are not in packs.
  ByteView archive_content() const { return archive_; }

 private:
  Result<> add_frames(const std::filesystem::path& path, LayerEntry& layer,
                      const std::function<void(uint64_t)>& progress);
  Result<> append(ByteView bytes);
  // A frame of which the place is not known yet.
  Result<> append_frame(Frame frame, ByteView stored, FrameTable& table);
  // After the frames of the layer.
  Result<> append_table(const FrameTable& table, LayerEntry& layer);
  // Once all of its frames are appended.
  Result<> note_added(LayerEntry layer);
  uint64_t offset() const;
  Result<> start_pack();
  Result<> finish_pack();

  const SyncContext& context_;
  const LogName log_;
  const Nonce nonce_;
  const CallOptions options_;
  Bytes archive_;
  std::vector<LayerEntry> layers_;
  // Index into layers_ of the first layer in the open pack.
  size_t first_in_pack_ = 0;
  uint32_t next_part_ = 0;
  std::unique_ptr<PackWriter> pack_;
};

}  // namespace varve
