#include "storage_sync/object_reader.h"

#include <fcntl.h>

#include "fs/directory.h"
#include "fs/file.h"
#include "remote_storage/streams.h"
#include "storage_sync/frame_codec.h"
#include "storage_sync/frame_stream.h"
#include "storage_sync/manifest_fields.h"
#include "storage_sync/remote_listing.h"

namespace varve {
namespace {

// Enough for the trailer and the manifest of most commits, so that one request reads both.
constexpr uint64_t kTailSize = 64 << 10;

std::string in_object(const ObjectName& object) {
  return "object " + object.key();
}

std::string in_member(const LogName& log, const LayerEntry& layer) {
  return fmt::format("object {}{}, member {}", log.prefix(), layer.stored.object,
                     layer.name.to_string());
}

bool is_stamp_of(const ObjectName& object, const CommitStamp& stamp) {
  return object.sequence == stamp.sequence &&
         (object.nonce.is_nil() || object.nonce == stamp.nonce);
}

Result<> check_identity(const ObjectName& object, const TenantTimelineId& id,
                        const CommitStamp& stamp) {
  if (object.log == LogName{id.tenant, id.timeline} && is_stamp_of(object, stamp)) return {};
  return make_error(ErrorCode::kCorrupted, "{}: its manifest is that of {} at number {}",
                    in_object(object), id, stamp.sequence);
}

Result<> check_identity(const ObjectName& object, const TenantManifest& manifest) {
  if (object.log == LogName{manifest.id, {}} && is_stamp_of(object, manifest.stamp)) {
    return {};
  }
  return make_error(ErrorCode::kCorrupted, "{}: its manifest is that of tenant {} at number {}",
                    in_object(object), manifest.id, manifest.stamp.sequence);
}

Result<> check_identity(const ObjectName& object, const PackManifest& manifest) {
  const LogName log{manifest.id.tenant, manifest.id.timeline};
  if (object == ObjectName::pack(log, manifest.nonce, manifest.part)) return {};
  return make_error(ErrorCode::kCorrupted, "{}: its manifest is that of pack {}", in_object(object),
                    ObjectName::pack(log, manifest.nonce, manifest.part).key());
}

template <typename Read>
Result<Read> read_and_decode(RemoteStorage& storage, const ObjectName& object,
                             const CallOptions& options) {
  using Manifest = decltype(Read::manifest);
  Read read;
  VARVE_ASSIGN(read.tail, read_object_tail(storage, object, options));
  VARVE_ASSIGN(read.manifest, Manifest::decode(read.tail.manifest).context(in_object(object)));
  VARVE_TRY(check_identity(object, read.manifest));
  return read;
}

}  // namespace

Result<ObjectTail> read_object_tail(RemoteStorage& storage, const ObjectName& object,
                                    const CallOptions& options) {
  const std::string key = object.key();
  const auto read = [&]() -> Result<ObjectTail> {
    ObjectTail tail;
    VARVE_ASSIGN(Bytes end, get_bytes(storage, key, ByteRange::suffix(kTailSize), kTailSize,
                                      options, &tail.info));
    if (end.size() < kObjectTrailerSize) {
      return make_error(ErrorCode::kCorrupted, "{} bytes are too few for an object", end.size());
    }
    VARVE_ASSIGN(tail.trailer,
                 ObjectTrailer::decode(ByteView(end).last(kObjectTrailerSize), tail.info.size));
    if (tail.trailer.kind != object.kind) {
      return make_error(ErrorCode::kCorrupted, "it says of itself that it is a {}, not a {}",
                        name(tail.trailer.kind), name(object.kind));
    }
    const uint64_t begin = tail.trailer.manifest_offset;
    // Where there is nothing but the manifest, it brings the header with it.
    const uint64_t needed_from = begin == kObjectHeaderSize ? 0 : begin;
    uint64_t have_from = tail.info.size - end.size();
    if (needed_from < have_from) {
      const uint64_t manifest_end = begin + tail.trailer.manifest_stored_size;
      VARVE_ASSIGN(end, get_bytes(storage, key, ByteRange::between(needed_from, manifest_end),
                                  manifest_end - needed_from, options));
      have_from = needed_from;
    }
    if (have_from == 0) {
      VARVE_TRY(check_object_header(ByteView(end).first(kObjectHeaderSize), object.kind));
    }
    const ByteView stored =
        ByteView(end).subspan(begin - have_from, tail.trailer.manifest_stored_size);
    if (checksum64(stored) != tail.trailer.manifest_checksum) {
      return make_error(ErrorCode::kCorrupted, "the manifest's checksum does not match");
    }
    VARVE_ASSIGN(tail.manifest,
                 zstd_decompress(stored, tail.trailer.manifest_raw_size).context("the manifest"));
    return tail;
  };
  return read().context(in_object(object));
}

Result<> check_object_header(RemoteStorage& storage, const ObjectName& object,
                             const CallOptions& options) {
  const auto check = [&]() -> Result<> {
    VARVE_ASSIGN(const Bytes header,
                 get_bytes(storage, object.key(), ByteRange::between(0, kObjectHeaderSize),
                           kObjectHeaderSize, options));
    return check_object_header(header, object.kind);
  };
  return check().context(in_object(object));
}

const CommitStamp& ReadTimelineArchive::stamp() const {
  return std::visit([](const auto& any) -> const CommitStamp& { return any.stamp; }, manifest);
}

const std::vector<LayerEntry>& ReadTimelineArchive::layers() const {
  const TimelineManifestDelta* changes = delta();
  return changes != nullptr ? changes->added_layers : std::get<TimelineManifest>(manifest).layers;
}

const TimelineManifestDelta* ReadTimelineArchive::delta() const {
  return std::get_if<TimelineManifestDelta>(&manifest);
}

Result<ReadTimelineArchive> read_timeline_archive(RemoteStorage& storage, const ObjectName& object,
                                                  const CallOptions& options) {
  ReadTimelineArchive read;
  VARVE_ASSIGN(read.tail, read_object_tail(storage, object, options));
  const auto decode_and_check = [&]<typename Manifest>(Result<Manifest> decoded) -> Result<> {
    if (!decoded.ok()) return decoded.error().context(in_object(object));
    VARVE_TRY(check_identity(object, decoded->id, decoded->stamp));
    read.manifest = *std::move(decoded);
    return {};
  };
  if (is_manifest_of(ManifestKind::kTimelineDelta, read.tail.manifest)) {
    VARVE_TRY(decode_and_check(TimelineManifestDelta::decode(read.tail.manifest)));
  } else {
    VARVE_TRY(decode_and_check(TimelineManifest::decode(read.tail.manifest)));
  }
  return read;
}

Result<ReadTimelineCommit> complete_timeline_commit(RemoteStorage& storage,
                                                    const ObjectName& object,
                                                    ReadTimelineArchive archive,
                                                    const CallOptions& options) {
  const TimelineManifestDelta* delta = archive.delta();
  if (delta == nullptr) {
    return ReadTimelineCommit{.tail = std::move(archive.tail),
                              .manifest = std::get<TimelineManifest>(std::move(archive.manifest)),
                              .stored = {.object = object.file_name(), .base = {}}};
  }
  const auto complete = [&]() -> Result<TimelineManifest> {
    VARVE_ASSIGN(const ObjectName name,
                 ObjectName::parse_file_name(object.log, delta->base.object));
    auto base = read_timeline_archive(storage, name, options);
    if (base.failed_with(ErrorCode::kNotFound)) {
      // The commit itself is there: what is lost is a part of it.
      return make_error(ErrorCode::kCorrupted, "{} is not there", in_object(name));
    }
    if (!base.ok()) return base.error();
    if (base->tail.trailer.checksum() != delta->base.checksum || base->delta() != nullptr) {
      return make_error(ErrorCode::kCorrupted, "{} is not the one it was made from",
                        in_object(name));
    }
    return apply(*delta, std::get<TimelineManifest>(std::move(base->manifest)));
  };
  VARVE_ASSIGN(
      TimelineManifest manifest,
      complete().context(fmt::format("{}, a delta of {}", in_object(object), delta->base.object)));
  return ReadTimelineCommit{.tail = std::move(archive.tail),
                            .manifest = std::move(manifest),
                            .stored = {.object = object.file_name(), .base = delta->base}};
}

Result<ReadTimelineCommit> read_timeline_commit(RemoteStorage& storage, const ObjectName& object,
                                                const CallOptions& options) {
  VARVE_ASSIGN(auto archive, read_timeline_archive(storage, object, options));
  return complete_timeline_commit(storage, object, std::move(archive), options);
}

Result<ReadTimelineCommit> read_timeline_commit(RemoteStorage& storage, const LogName& log,
                                                uint64_t sequence, const CallOptions& options) {
  if (storage.traits().conditional_put) {
    auto commit = read_timeline_commit(storage, ObjectName::archive(log, sequence), options);
    // Objects that were copied from a storage without conditions keep their names.
    if (!commit.failed_with(ErrorCode::kNotFound)) return commit;
  }
  VARVE_ASSIGN(const ObjectName archive, find_archive(storage, log, sequence, options));
  return read_timeline_commit(storage, archive, options);
}

Result<ReadTenantCommit> read_tenant_commit(RemoteStorage& storage, const ObjectName& object,
                                            const CallOptions& options) {
  return read_and_decode<ReadTenantCommit>(storage, object, options);
}

Result<ReadPack> read_pack(RemoteStorage& storage, const ObjectName& object,
                           const CallOptions& options) {
  return read_and_decode<ReadPack>(storage, object, options);
}

Result<FrameTable> read_frame_table(const LayerEntry& layer, const ObjectRangeReader& read) {
  const StoredMember& stored = layer.stored;
  VARVE_TRY(check_frame_table_size(layer));
  VARVE_ASSIGN(const Bytes bytes,
               read(stored.table_offset, stored.table_offset + stored.table_size));
  return check_frame_table(layer, bytes);
}

Result<FrameTable> read_frame_table(RemoteStorage& storage, const LogName& log,
                                    const LayerEntry& layer, const CallOptions& options) {
  const auto read = [&](uint64_t start, uint64_t end) {
    return within_object(get_bytes(storage, log.prefix() + layer.stored.object,
                                   ByteRange::between(start, end), end - start, options));
  };
  return read_frame_table(layer, read).context(in_member(log, layer));
}

Result<> read_member(const SyncContext& context, const LogName& log, const LayerEntry& layer,
                     const ByteSink& sink, const CallOptions& options) {
  VARVE_ASSIGN(const FrameTable table, read_frame_table(context.storage, log, layer, options));
  const auto read = [&]() -> Result<> {
    VARVE_ASSIGN(const ObjectName object, ObjectName::parse_file_name(log, layer.stored.object));
    Checksum128Stream whole;
    const auto hand_on = [&](size_t, const Bytes& raw) {
      whole.update(raw);
      return sink(raw);
    };
    for (size_t begin = 0; begin < table.size();) {
      size_t end = begin + 1;
      while (end < table.size() &&
             table[end].offset == table[end - 1].offset + table[end - 1].stored_size) {
        ++end;
      }
      VARVE_TRY(read_frames(
          context, object, table, {begin, end}, [](size_t) { return true; }, hand_on, options));
      begin = end;
    }
    if (whole.digest() == layer.checksum) return {};
    return make_error(ErrorCode::kCorrupted, "the checksum of the whole file does not match");
  };
  return read().context(in_member(log, layer));
}

Result<> download_layer(const SyncContext& context, const LogName& log, const LayerEntry& layer,
                        const std::filesystem::path& directory, Durability durability,
                        const CallOptions& options) {
  const auto path = directory / layer.name.to_string();
  auto temporary = path;
  temporary += kTemporarySuffix;
  const auto download = [&]() -> Result<> {
    VARVE_ASSIGN(File file, File::open(temporary, O_WRONLY | O_CREAT | O_TRUNC));
    const ByteSink write = [&](ByteView bytes) { return file.append(bytes); };
    VARVE_TRY(read_member(context, log, layer, write, options));
    if (durability == Durability::kSynced) VARVE_TRY(file.sync());
    return {};
  };
  auto done = download();
  if (!done.ok()) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    return done;
  }
  return rename_durably(temporary, path);
}

}  // namespace varve
