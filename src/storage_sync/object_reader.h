// Reading remote objects: tails, frame tables, single members. Every byte is checked on the way.
//
// Errors name the object, and the member where there is one. NotFound = the object is definitely
// absent.
#pragma once

#include <filesystem>
#include <optional>
#include <variant>

#include "storage_sync/manifest.h"
#include "storage_sync/manifest_delta.h"
#include "storage_sync/object_format.h"
#include "storage_sync/sync_context.h"

namespace varve {

struct ObjectTail {
  ObjectInfo info;
  ObjectTrailer trailer;
  Bytes manifest;  // Raw.
};

// Trailer and manifest, usually with one request. Corrupted also when the object is of another kind
// than its name says.
Result<ObjectTail> read_object_tail(RemoteStorage& storage, const ObjectName& object,
                                    const CallOptions& options);

// Checks the first bytes of an object.
Result<> check_object_header(RemoteStorage& storage, const ObjectName& object,
                             const CallOptions& options);

// A commit of a timeline's log as its own object has it. What every read of an object checks is
// checked here as well: its manifest belongs where the object's name says.
struct ReadTimelineArchive {
  ObjectTail tail;
  std::variant<TimelineManifest, TimelineManifestDelta> manifest;

  const CommitStamp& stamp() const;
  // The layers that the object names, those whose frames it holds among them: all of the timeline,
  // or those added since the base.
  const std::vector<LayerEntry>& layers() const;
  // None when the manifest is full.
  const TimelineManifestDelta* delta() const;
};
Result<ReadTimelineArchive> read_timeline_archive(RemoteStorage& storage, const ObjectName& object,
                                                  const CallOptions& options);

// A commit of a log with the whole state.
struct ReadTimelineCommit {
  ObjectTail tail;
  TimelineManifest manifest;
  StoredCommit stored;
};
struct ReadTenantCommit {
  ObjectTail tail;
  TenantManifest manifest;
};
// Reads a second object where the first holds a delta. Corrupted, naming both, when the base is
// absent or not the one that the delta was made from: only the newest commit is sure to have one.
Result<ReadTimelineCommit> read_timeline_commit(RemoteStorage& storage, const ObjectName& object,
                                                const CallOptions& options);
// The same for an archive that was read already.
Result<ReadTimelineCommit> complete_timeline_commit(RemoteStorage& storage,
                                                    const ObjectName& object,
                                                    ReadTimelineArchive archive,
                                                    const CallOptions& options);
Result<ReadTenantCommit> read_tenant_commit(RemoteStorage& storage, const ObjectName& object,
                                            const CallOptions& options);
// The same for the archive that has a number in its log, whatever its name.
Result<ReadTimelineCommit> read_timeline_commit(RemoteStorage& storage, const LogName& log,
                                                uint64_t sequence, const CallOptions& options);
Result<ReadTenantCommit> read_tenant_commit(RemoteStorage& storage, const LogName& log,
                                            uint64_t sequence, const CallOptions& options);
struct ReadPack {
  ObjectTail tail;
  PackManifest manifest;
};
Result<ReadPack> read_pack(RemoteStorage& storage, const ObjectName& object,
                           const CallOptions& options);

Result<FrameTable> read_frame_table(RemoteStorage& storage, const LogName& log,
                                    const LayerEntry& layer, const CallOptions& options);

// Streams the whole member in order. The sink runs on the calling thread; frames are decompressed
// on context.codec_pool. The checksum of the whole is checked at the end: until this returns, what
// the sink got is unverified as a whole, though each frame was checked.
Result<> read_member(const SyncContext& context, const LogName& log, const LayerEntry& layer,
                     const ByteSink& sink, const CallOptions& options);

enum class Durability {
  kSynced,   // The file and its name survive a crash.
  kScratch,  // Only for the life of the process.
};

// Writes the member into `directory` under its own name, whole and verified or not at all.
Result<> download_layer(const SyncContext& context, const LogName& log, const LayerEntry& layer,
                        const std::filesystem::path& directory, Durability durability,
                        const CallOptions& options);

}  // namespace varve
