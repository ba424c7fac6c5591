// The metadata file of a timeline in the work directory: what the timeline is, which layers it has,
// and how much of that is remote.
//
// The file, not the directory, defines the layers: one that is listed and neither local nor remote
// is an error, and a file that is not listed does not count. It is replaced atomically and last, so
// that a crash leaves the state before or after a checkpoint, never one between.
#pragma once

#include <filesystem>
#include <optional>

#include "storage_sync/manifest.h"
#include "storage_sync/manifest_delta.h"
#include "storage_sync/remote_log.h"

namespace varve {

inline constexpr std::string_view kMetadataFileName = "metadata";
inline constexpr std::string_view kNonceJournalFileName = "attempts";

struct LocalManifest {
  // The newest commit of the timeline's log that is known here.
  LogHead head;
  // When the storage last showed that nothing follows `head`; not kept in the file.
  std::optional<BootTime> head_seen;
  // Everything up to here is in the remote storage.
  Lsn remote_consistent_lsn;
  // state_checksum() as of `head`; 0 when there is none.
  uint64_t remote_state = 0;
  // Objects of the log that the state at `head` needs: the archive of that commit, the one that its
  // manifest is a delta of, and those that hold layers.
  std::vector<std::string> remote_objects;
  // The state here. A layer without a stored object is not remote yet.
  TimelineManifest manifest;

  // Identifies metadata and set of layers: equal states need no new commit.
  uint64_t state_checksum() const;
  // The state at `head` is the state here.
  bool in_sync() const { return head.sequence > 0 && remote_state == state_checksum(); }

  // The local manifest of a timeline of which nothing is known but a commit.
  static LocalManifest from_commit(const LogHead& head, TimelineManifest manifest,
                                   const StoredCommit& stored);

  // Takes over what a commit says about where layers are stored.
  void note_commit(const LogHead& new_head, const TimelineManifest& committed,
                   const StoredCommit& stored);

  Bytes encode() const;
  static Result<LocalManifest> decode(ByteView bytes);

  // NotFound when there is none; Corrupted, naming the file, when it is damaged.
  static Result<LocalManifest> read(const std::filesystem::path& timeline_directory);
  Result<> write(const std::filesystem::path& timeline_directory) const;
};

// Decodes the content of a metadata file; for tests of damaged ones.
Result<LocalManifest> decode_metadata_file(ByteView content);

}  // namespace varve
