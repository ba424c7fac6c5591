// Bringing a timeline from the remote storage into the work directory, whole.
#pragma once

#include <filesystem>

#include "storage_sync/local_manifest.h"
#include "storage_sync/sync_context.h"

namespace varve {

// Downloads the layers of the manifest that are not in `directory`, several at a time. A layer file
// that is there already is kept when its checksum is right, and replaced when not. After an error,
// or a crash, the call may be repeated: frames that were fetched are not fetched again, but for the
// last few of a crash.
Result<> download_layers(const SyncContext& context, const std::filesystem::path& directory,
                         const TimelineManifest& manifest, const ByteProgress& progress,
                         const CallOptions& options);

// Whether the file has the size and checksum of the layer. An error only when that can't be told.
Result<bool> layer_file_is_intact(const std::filesystem::path& path, const LayerEntry& layer,
                                  const CallOptions& options);

}  // namespace varve
