#include "storage_sync/upload.h"

#include <algorithm>
#include <map>
#include <set>

#include "storage_sync/commit_data.h"
#include "storage_sync/delta_base.h"
#include "storage_sync/object_reader.h"

namespace varve {
namespace {

// Reads, compresses and, where it is much, sends the layers that are not remote yet.
Result<> add_missing_layers(const std::filesystem::path& directory, const LocalManifest& local,
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
    VARVE_TRY(data.add_layer(directory / layer.name.to_string(), layer, advance));
  }
  return {};
}

bool is_to_move(const LayerEntry& layer, const UploadRequest& request) {
  const auto move = request.repack.find(layer.name);
  return move != request.repack.end() && move->second == layer.stored.object;
}
Result<> copy_moving_layers(const UploadRequest& request, const LocalManifest& local,
                            CommitData& data) {
  for (const LayerEntry& layer : local.manifest.layers) {
    if (is_to_move(layer, request)) VARVE_TRY(data.copy_layer(layer));
  }
  return {};
}

// What the objects of the log are needed for after the new commit: those that it no longer refers
// to keep the sequence that superseded them first.
std::vector<RetiredObject> retire(const LocalManifest& local, const TimelineManifest& next,
                                  const std::optional<DeltaBase>& base) {
  std::set<std::string> live;
  if (base) live.insert(base->commit.object);
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
  std::ranges::sort(retired);
  return retired;
}

// `archive` is that of the commit itself.
TimelineManifest next_manifest(const LocalManifest& local, const CommitData& data,
                               const CommitStamp& stamp, const std::string& archive,
                               const std::optional<DeltaBase>& base) {
  TimelineManifest next = local.manifest;
  next.stamp = stamp;
  std::map<LayerName, const LayerEntry*> added;
  for (const LayerEntry& layer : data.layers()) added.emplace(layer.name, &layer);
  for (LayerEntry& layer : next.layers) {
    const auto found = added.find(layer.name);
    if (found == added.end()) continue;
    layer.stored = found->second->stored;
    if (layer.stored.object.empty()) layer.stored.object = archive;
  }
  next.retired = retire(local, next, base);
  return next;
}

// What a commit says, and how.
struct NextCommit {
  TimelineManifest manifest;
  StoredCommit stored;
  Bytes encoded;
};

NextCommit next_commit(const LocalManifest& local, const CommitData& data, const CommitStamp& stamp,
                       const std::string& archive, const std::optional<DeltaBase>& base) {
  if (base) {
    TimelineManifest manifest = next_manifest(local, data, stamp, archive, base);
    if (auto encoded = base->encode_difference(manifest)) {
      return {std::move(manifest), {archive, base->commit}, *std::move(encoded)};
    }
  }
  TimelineManifest manifest = next_manifest(local, data, stamp, archive, {});
  Bytes encoded = manifest.encode();
  return {std::move(manifest), {archive, {}}, std::move(encoded)};
}

// The commits that begin and end what one server writes are full: they can be read without what
// was there before.
std::optional<DeltaBase> base_of_next(const std::filesystem::path& directory,
                                      const UploadRequest& request, const LocalManifest& local) {
  if (request.take_ownership || local.manifest.deleted ||
      local.manifest.stamp.writer != request.writer) {
    return std::nullopt;
  }
  return DeltaBase::read(directory, local);
}

// A full manifest becomes the base of those that follow.
Result<> keep_base(const std::filesystem::path& directory, const LogHead& head,
                   const NextCommit& committed) {
  if (committed.stored.base || committed.manifest.deleted) return {};
  return DeltaBase::write(directory, {committed.stored.object, head.checksum}, committed.manifest);
}

// One attempt to commit `state`. An error says that the attempt may have landed or not.
struct Attempt {
  CommitResult taken;
  // What was committed, where it was.
  NextCommit committed;
};
Result<Attempt> commit_state(const SyncContext& context, const UploadRequest& request,
                             const std::filesystem::path& directory, const LocalManifest& state,
                             const ByteProgress& progress, const CallOptions& options) {
  const LogName log{state.manifest.id.tenant, state.manifest.id.timeline};
  VARVE_ASSIGN(NonceJournal journal, NonceJournal::open(directory / kNonceJournalFileName));
  const auto nonce = context.random.next_id<Nonce>();
  VARVE_TRY(journal.add(state.head.sequence, nonce));
  CommitData data(context, log, nonce, options);
  VARVE_TRY(add_missing_layers(directory, state, data, progress));
  VARVE_TRY(copy_moving_layers(request, state, data));
  VARVE_TRY(data.finish());
  const auto base = base_of_next(directory, request, state);
  Attempt attempt;
  VARVE_ASSIGN(attempt.taken,
               commit(context, journal,
                      {.log = log,
                       .head = state.head,
                       // Taking over is never done without a look at what follows.
                       .head_seen = request.take_ownership ? std::nullopt : state.head_seen,
                       .writer = request.writer,
                       .nonce = nonce,
                       .content = data.archive_content(),
                       .encode_manifest = [&](const CommitStamp& stamp) -> Result<Bytes> {
                         const ObjectName archive =
                             commit_archive(context.storage, log, stamp.sequence, stamp.nonce);
                         attempt.committed =
                             next_commit(state, data, stamp, archive.file_name(), base);
                         return attempt.committed.encoded;
                       }},
                      options));
  return attempt;
}

void note(LocalManifest& local, const CommitResult& taken, const TimelineManifest& committed,
          const StoredCommit& stored) {
  if (committed.deleted) {
    // Nothing follows the last commit of a deleted timeline.
    local = LocalManifest::from_commit(taken.head, committed, stored);
  } else {
    local.note_commit(taken.head, committed, stored);
  }
  local.head_seen = taken.head_seen;
}

// Reads the commit of this server whose acknowledgement was lost, and notes it.
Result<> adopt(const SyncContext& context, KeptTimeline& timeline, const CommitResult& taken,
               const CallOptions& options) {
  VARVE_ASSIGN(const auto adopted, read_timeline_commit(context.storage, taken.object, options));
  return timeline.change([&](LocalManifest& local) -> Result<> {
    note(local, taken, adopted.manifest, adopted.stored);
    return {};
  });
}

// Whether nothing would come of a commit.
bool is_done(const UploadRequest& request, const LocalManifest& state) {
  return !request.take_ownership && state.in_sync() &&
         std::ranges::none_of(state.manifest.layers,
                              [&](const LayerEntry& layer) { return is_to_move(layer, request); });
}

// What is to be committed.
std::shared_ptr<const LocalManifest> wanted_state(const UploadRequest& request,
                                                  std::shared_ptr<const LocalManifest> state) {
  if (!request.delete_timeline || state->manifest.deleted) return state;
  auto last = std::make_shared<LocalManifest>(*state);
  last->manifest.deleted = true;
  last->manifest.layers.clear();
  return last;
}

}  // namespace

Result<UploadResult> upload_timeline(const SyncContext& context, const UploadRequest& request,
                                     KeptTimeline& timeline, const ByteProgress& progress,
                                     const CallOptions& options) {
  const auto turn = timeline.take_commit_turn();
  UploadResult result;
  // Each turn but the last adopts an attempt of this server that landed unnoticed, or finds the
  // state changed under its hands.
  for (;;) {
    const auto kept = timeline.get();
    const auto state = wanted_state(request, kept);
    result.remote = state;
    if (is_done(request, *state)) return result;
    auto attempt = commit_state(context, request, timeline.directory(), *state, progress, options);
    // A layer that was removed while it was about to be sent is no loss when the timeline can do
    // without it now.
    if (attempt.failed_with(ErrorCode::kNotFound) && timeline.get() != kept) continue;
    if (!attempt.ok()) return attempt.error();
    const CommitResult& taken = attempt->taken;
    switch (taken.outcome) {
      case CommitOutcome::kCommitted:
        VARVE_TRY(keep_base(timeline.directory(), taken.head, attempt->committed));
        VARVE_TRY(timeline.change([&](LocalManifest& local) -> Result<> {
          note(local, taken, attempt->committed.manifest, attempt->committed.stored);
          return {};
        }));
        result.outcome = UploadOutcome::kUploaded;
        return result;
      case CommitOutcome::kAdopted:
        VARVE_TRY(adopt(context, timeline, taken, options));
        // An earlier attempt may have borne an earlier writer: it takes no ownership.
        result.outcome = UploadOutcome::kUploaded;
        break;
      case CommitOutcome::kFenced:
        return UploadResult{
            .outcome = UploadOutcome::kFenced, .remote = nullptr, .other = taken.stamp};
    }
  }
}

}  // namespace varve
