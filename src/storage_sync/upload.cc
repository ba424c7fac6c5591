#include "storage_sync/upload.h"

#include <algorithm>
#include <map>
#include <set>

#include "storage_sync/commit_data.h"
#include "storage_sync/object_reader.h"

namespace varve {
namespace {

// Reads, compresses and, where it is much, sends the layers that are not remote yet.
Result<> add_missing_layers(const UploadRequest& request, const LocalManifest& local,
                            CommitData& data, const ByteProgress& progress) {
  uint64_t total = 0;
  for (const LayerEntry& layer : local.manifest.layers) {
    if (!layer.stored.is_remote()) total += layer.size;
  }
  uint64_t done = 0;
  const auto advance = [&](uint64_t raw_bytes) {
    done += raw_bytes;
    if (progress) progress(done, total);
  };
  for (const LayerEntry& layer : local.manifest.layers) {
    if (layer.stored.is_remote()) continue;
    VARVE_TRY(data.add_layer(request.directory / layer.name.to_string(), layer, advance));
  }
  return data.finish();
}

// What the objects of the log are needed for after the new commit: those that it no longer refers
// to keep the sequence that superseded them first.
std::vector<RetiredObject> retire(const LocalManifest& local, const TimelineManifest& next) {
  std::set<std::string> live;
  for (const LayerEntry& layer : next.layers) live.insert(layer.stored.object);

  std::vector<RetiredObject> retired;
  std::set<std::string> known;
  const auto consider = [&](const std::string& object, uint64_t superseded_by) {
    if (!live.contains(object) && known.insert(object).second) {
      retired.push_back({object, superseded_by});
    }
  };
  for (const auto& [object, superseded_by] : local.manifest.retired) {
    consider(object, superseded_by);
  }
  for (const std::string& object : local.remote_objects) consider(object, next.stamp.sequence);
  if (local.head.sequence > 0) {
    const LogName log{next.id.tenant, next.id.timeline};
    consider(ObjectName::archive(log, local.head.sequence).file_name(), next.stamp.sequence);
  }
  return retired;
}

TimelineManifest next_manifest(const LocalManifest& local, const CommitData& data,
                               const CommitStamp& stamp) {
  TimelineManifest next = local.manifest;
  next.stamp = stamp;
  const LogName log{next.id.tenant, next.id.timeline};
  const std::string own_archive = ObjectName::archive(log, stamp.sequence).file_name();
  std::map<LayerName, const LayerEntry*> added;
  for (const LayerEntry& layer : data.layers()) added.emplace(layer.name, &layer);
  for (LayerEntry& layer : next.layers) {
    const auto found = added.find(layer.name);
    if (found == added.end()) continue;
    layer.stored = found->second->stored;
    if (layer.stored.object.empty()) layer.stored.object = own_archive;
  }
  next.retired = retire(local, next);
  return next;
}

}  // namespace

Result<UploadResult> upload_timeline(const SyncContext& context, const UploadRequest& request,
                                     LocalManifest& local, const ByteProgress& progress,
                                     const CallOptions& options) {
  const LogName log{local.manifest.id.tenant, local.manifest.id.timeline};
  VARVE_ASSIGN(NonceJournal journal, NonceJournal::open(request.directory / kNonceJournalFileName));
  UploadResult result;
  // Each turn but the last adopts an attempt of this server that landed unnoticed.
  while (request.take_ownership ? result.outcome != UploadOutcome::kUploaded : !local.in_sync()) {
    const auto nonce = context.random.next_id<Nonce>();
    VARVE_TRY(journal.add(local.head.sequence, nonce));
    CommitData data(context, log, nonce, options);
    VARVE_TRY(add_missing_layers(request, local, data, progress));

    TimelineManifest committed;
    VARVE_ASSIGN(const CommitResult taken,
                 commit(context, journal,
                        {.log = log,
                         .head = local.head,
                         .writer = request.writer,
                         .nonce = nonce,
                         .content = data.archive_content(),
                         .encode_manifest = [&](const CommitStamp& stamp) -> Result<Bytes> {
                           committed = next_manifest(local, data, stamp);
                           return committed.encode();
                         }},
                        options));
    LocalManifest next = local;
    switch (taken.outcome) {
      case CommitOutcome::kCommitted:
        next.note_commit(taken.head, committed);
        result.outcome = UploadOutcome::kUploaded;
        break;
      case CommitOutcome::kAdopted: {
        VARVE_ASSIGN(const auto adopted,
                     read_timeline_commit(context.storage,
                                          ObjectName::archive(log, taken.head.sequence), options));
        if (adopted.manifest.deleted) {
          // Nothing follows the last commit of a deleted timeline.
          next = LocalManifest::from_commit(taken.head, adopted.manifest);
        } else {
          next.note_commit(taken.head, adopted.manifest);
        }
        // An earlier attempt may have borne an earlier writer: it takes no ownership.
        if (!request.take_ownership) result.outcome = UploadOutcome::kUploaded;
        break;
      }
      case CommitOutcome::kFenced:
        return UploadResult{.outcome = UploadOutcome::kFenced, .other = taken.stamp};
    }
    VARVE_TRY(next.write(request.directory));
    local = std::move(next);
  }
  return result;
}

}  // namespace varve
