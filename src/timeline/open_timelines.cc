#include "timeline/open_timelines.h"

#include "timeline/ancestry.h"

namespace varve {
namespace {

// The reader, and the timeline for as long as somebody has that.
std::shared_ptr<TimelineReader> with_timeline(std::shared_ptr<Timeline> timeline,
                                              std::shared_ptr<TimelineReader> reader) {
  struct Both {
    std::shared_ptr<Timeline> timeline;
    std::shared_ptr<TimelineReader> reader;
  };
  TimelineReader* const pointer = reader.get();
  auto both = std::make_shared<Both>(std::move(timeline), std::move(reader));
  return {std::move(both), pointer};
}

}  // namespace

OpenTimelines::OpenTimelines(TenantManager& tenants, Options options)
    : tenants_(tenants), options_(std::move(options)) {}

std::shared_ptr<Timeline> OpenTimelines::find(const TenantTimelineId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = timelines_.find(id);
  return found == timelines_.end() ? nullptr : found->second;
}

void OpenTimelines::close(const TenantTimelineId& id) {
  std::shared_ptr<Timeline> closed;
  const std::lock_guard lock(mutex_);
  const auto found = timelines_.find(id);
  if (found == timelines_.end()) return;
  closed = std::move(found->second);
  timelines_.erase(found);
}

Result<std::shared_ptr<KeptTimeline>> OpenTimelines::writable_state(
    const TenantTimelineId& id) const {
  VARVE_ASSIGN(const TimelineInfo timeline, tenants_.timeline(id.to_string()));
  const auto tenant = tenants_.store().tenant(id.tenant);
  auto kept = tenants_.store().timeline(id);
  if (tenant == nullptr || kept == nullptr || timeline.state == TimelineSyncState::kCloudOnly ||
      timeline.state == TimelineSyncState::kAwaitsDownload) {
    return make_error(ErrorCode::kConflict,
                      "timeline {} is not in this work directory as it is now: bring it here with "
                      "'varve timeline prefetch'",
                      id);
  }
  VARVE_TRY(tenant->get()->check_owned());
  return kept;
}

Result<std::shared_ptr<TimelineReader>> OpenTimelines::ancestor_of(const TimelineMetadata& metadata,
                                                                   const TenantTimelineId& id,
                                                                   size_t link,
                                                                   const CallOptions& call) {
  if (!metadata.ancestor) return std::shared_ptr<TimelineReader>();
  const TenantTimelineId ancestor{id.tenant, *metadata.ancestor};
  auto open = open_link(ancestor, link + 1, call);
  if (open.ok()) return with_timeline(*open, (*open)->reader());
  // Nobody writes to it here.
  if (!open.failed_with(ErrorCode::kConflict)) return open.error();
  VARVE_ASSIGN(auto reader, tenants_.open_reader(ancestor, options_.scratch_parent));
  return std::shared_ptr<TimelineReader>(std::move(reader));
}

Result<std::shared_ptr<Timeline>> OpenTimelines::open(const TenantTimelineId& id,
                                                      const CallOptions& call) {
  return open_link(id, 0, call);
}

Result<std::shared_ptr<Timeline>> OpenTimelines::open_link(const TenantTimelineId& id, size_t link,
                                                           const CallOptions& call) {
  if (auto open = find(id)) return open;
  if (link > kMaximumAncestors) {
    return make_error(ErrorCode::kCorrupted, "timeline {} has too many ancestors", id);
  }
  VARVE_ASSIGN(auto kept, writable_state(id));
  Timeline::Options options = options_.timeline;
  options.cache.log = {id.tenant, id.timeline};
  options.cache.remote = options_.remote;
  options.cache.scratch_parent = options_.scratch_parent;
  options.is_pinned = [&store = tenants_.store(), id](Lsn lsn) { return store.is_pinned(id, lsn); };
  options.cache.remote_reads = options_.remote_reads;
  VARVE_ASSIGN(options.ancestor, ancestor_of(kept->get()->manifest.metadata, id, link, call));
  VARVE_ASSIGN(const auto turn, turns_.take(id, "the opening of a timeline", call));
  if (auto open = find(id)) return open;
  // Not beside somebody who brings layer files here: those that are not listed are removed.
  VARVE_ASSIGN(const auto files_turn, tenants_.store().take_files_turn(id, call));
  VARVE_ASSIGN(auto opened, Timeline::open(std::move(kept), std::move(options)));
  std::shared_ptr<Timeline> timeline(std::move(opened));
  const std::lock_guard lock(mutex_);
  timelines_[id] = timeline;
  return timeline;
}

Result<TenantManager::FreedLayers> OpenTimelines::drop_local_layers(
    const TenantTimelineId& id, const CallOptions& call,
    const TenantManager::LayerPredicate& wanted) {
  // Before the turn of the files: a layer that is just coming here is then not published.
  if (options_.remote_reads) options_.remote_reads->forget(id, wanted);
  const auto timeline = find(id);
  if (timeline == nullptr) return tenants_.drop_local_layers(id, call, wanted);
  // Only what its readers know to be remote: without its file they would take it for lost.
  timeline->take_over_uploads();
  std::set<LayerName> known;
  for (const LayerEntry& layer : timeline->reader()->view()->layers->manifest->layers) {
    if (layer.stored.is_remote() && (!wanted || wanted(layer.name))) known.insert(layer.name);
  }
  auto freed = tenants_.drop_local_layers(
      id, call, [&](const LayerName& layer) { return known.contains(layer); });
  timeline->reader()->cache().forget(known);
  return freed;
}

Result<std::shared_ptr<TimelineReader>> OpenTimelines::open_reader(
    const TenantTimelineId& id, const std::filesystem::path& scratch_parent, ReadPattern pattern,
    const CallOptions& call) {
  auto opened = open(id, call);
  if (opened.failed_with(ErrorCode::kConflict)) {
    VARVE_ASSIGN(auto reader, tenants_.open_reader(id, scratch_parent, pattern));
    return std::shared_ptr<TimelineReader>(std::move(reader));
  }
  VARVE_TRY(opened);
  std::shared_ptr<Timeline> timeline = *std::move(opened);
  const TimelineMetadata& metadata = timeline->reader()->metadata();
  std::shared_ptr<TimelineReader> ancestor;
  if (metadata.ancestor) {
    VARVE_ASSIGN(ancestor,
                 open_reader({id.tenant, *metadata.ancestor}, scratch_parent, pattern, call));
  }
  auto reader = timeline->open_reader(pattern, scratch_parent, std::move(ancestor));
  return with_timeline(std::move(timeline), std::move(reader));
}

Result<OpenTimelines::Snapshot> OpenTimelines::open_snapshot(
    const TenantTimelineId& id, std::optional<Lsn> lsn, const std::filesystem::path& scratch_parent,
    const CallOptions& call, ReadPattern pattern) {
  TenantTimelineId origin = id;
  if (lsn) {
    VARVE_ASSIGN(origin, tenants_.origin_of(id, *lsn));
  }
  VARVE_ASSIGN(
      auto reader,
      open_reader(origin, scratch_parent.empty() ? options_.scratch_parent : scratch_parent,
                  pattern, call));
  Snapshot snapshot{.timeline = find(origin), .lease = {}, .reader = std::move(reader), .lsn = {}};
  if (snapshot.timeline == nullptr) {
    snapshot.lsn = lsn.value_or(snapshot.reader->metadata().disk_consistent_lsn);
    VARVE_TRY(snapshot.reader->check_readable(snapshot.lsn));
    return snapshot;
  }
  snapshot.lsn = lsn.value_or(snapshot.timeline->last_record_lsn());
  VARVE_ASSIGN(auto lease, snapshot.timeline->retain(snapshot.lsn));
  snapshot.lease.emplace(std::move(lease));
  // What was ingested since the reader was opened.
  snapshot.reader->allow_up_to(snapshot.lsn);
  return snapshot;
}

}  // namespace varve
