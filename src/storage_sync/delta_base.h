// The full manifest that the next commits of a timeline are deltas of, kept in the work directory,
// so that none of them has to read it from the remote storage.
//
// It is a copy and nothing depends on it: where the file is lost, damaged or out of date, the next
// commit has a full manifest and becomes the base itself.
#pragma once

#include <filesystem>
#include <optional>

#include "storage_sync/local_manifest.h"
#include "storage_sync/manifest_delta.h"

namespace varve {

inline constexpr std::string_view kDeltaBaseFileName = "base";

// Below this, encoded, a full manifest is not worth a delta: that would cost every reader a request
// and save next to nothing.
inline constexpr uint64_t kSmallestBaseSize = 16 << 10;
// A delta is worth it up to this part of its base, both encoded.
inline constexpr uint64_t kLargestDeltaDivisor = 4;

struct DeltaBase {
  ManifestBase commit;
  TimelineManifest manifest;
  uint64_t encoded_size = 0;  // Of the manifest, bytes.

  // The base in `timeline_directory`, if it may still be one: the newest commit known here needs
  // its object. A file that cannot be used is logged and counts as none.
  static std::optional<DeltaBase> read(const std::filesystem::path& timeline_directory,
                                       const LocalManifest& local);
  // Keeps a full manifest that was committed, unless it is too small.
  static Result<> write(const std::filesystem::path& timeline_directory, const ManifestBase& commit,
                        const TimelineManifest& manifest);

  // The encoded difference from here to `next`; none when it is too large.
  std::optional<Bytes> encode_difference(const TimelineManifest& next) const;
};

}  // namespace varve
