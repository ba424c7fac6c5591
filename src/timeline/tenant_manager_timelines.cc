// Creating timelines, as imports and as branches, and deleting them.
#include <algorithm>

#include "base/logging.h"
#include "fs/directory.h"
#include "runtime/joined_call.h"
#include "timeline/ancestry.h"
#include "timeline/tenant_manager.h"

namespace varve {

Result<> TenantManager::check_new_timeline(const TenantId& tenant, const std::string& name) const {
  VARVE_TRY(directory_->tenant(tenant));
  VARVE_TRY(check_changeable(tenant));
  return directory_->check_name_free(tenant, name);
}

Result<TimelineDraft> TenantManager::start_timeline(const TenantId& tenant, Lsn image_lsn,
                                                    const std::optional<TimelineId>& id) {
  const TimelineId timeline = id ? *id : options_.random->next_id<TimelineId>();
  VARVE_ASSIGN(TimelineDraft draft,
               TimelineDraft::create({.id = {tenant, timeline},
                                      .timelines_directory = store_->timelines_directory(tenant),
                                      .image_lsn = image_lsn,
                                      .layer_size = options_.layer_size}));
  // Nobody else knows the ID.
  draft.manifest().head_seen = options_.clock->boot_time();
  return draft;
}

Result<TimelineMetadata> TenantManager::branch_point(const TenantTimelineId& parent, Lsn lsn,
                                                     const CallOptions& call) const {
  VARVE_ASSIGN(const KnownTimeline timeline, directory_->timeline(parent));
  VARVE_ASSIGN(const Standing standing, this->standing(parent, timeline, call));
  TimelineMetadata metadata = standing.newest->manifest.metadata;
  const bool is_given_up = lsn < metadata.gc_cutoff_lsn && !store_->is_pinned(parent, lsn);
  if (is_given_up || metadata.disk_consistent_lsn < lsn) {
    return make_error(ErrorCode::kNotFound,
                      "LSN {} is not kept by timeline {}: a branch can begin from {} to {}", lsn,
                      parent, metadata.gc_cutoff_lsn, metadata.disk_consistent_lsn);
  }
  metadata.ancestor = parent.timeline;
  metadata.ancestor_lsn = lsn;
  metadata.disk_consistent_lsn = lsn;
  metadata.previous_record_lsn = std::min(metadata.previous_record_lsn, lsn);
  return metadata;
}

Result<TenantTimelineId> TenantManager::origin_of(const TenantTimelineId& id, Lsn lsn) const {
  TenantTimelineId origin = id;
  for (size_t links = 0; links <= kMaximumAncestors; ++links) {
    VARVE_ASSIGN(const KnownTimeline timeline, directory_->timeline(origin));
    const auto& registration = timeline.registration;
    if (!registration || !registration->ancestor || registration->ancestor_lsn <= lsn) {
      return origin;
    }
    origin.timeline = *registration->ancestor;
  }
  return make_error(ErrorCode::kCorrupted, "timeline {} has too many ancestors", id);
}

Result<TimelineInfo> TenantManager::branch_timeline(const TenantTimelineId& parent, Lsn lsn,
                                                    const std::string& name,
                                                    const CallOptions& call) {
  const JoinedCall joined(options_.call, call);
  VARVE_TRY(directory_->timeline(parent));
  VARVE_TRY(check_new_timeline(parent.tenant, name));
  VARVE_ASSIGN(const TenantTimelineId origin, origin_of(parent, lsn));
  VARVE_ASSIGN(const TimelineMetadata metadata, branch_point(origin, lsn, joined.options()));
  VARVE_TRY(upload_up_to(origin, lsn, joined.options()));
  VARVE_ASSIGN(TimelineDraft draft, start_timeline(parent.tenant, lsn));
  VARVE_TRY(draft.finish(metadata));
  return commit_timeline(std::move(draft), name, {}, call);
}

Result<> TenantManager::upload_up_to(const TenantTimelineId& id, Lsn lsn, const CallOptions& call) {
  const auto timeline = store_->timeline(id);
  if (options_.remote == nullptr || timeline == nullptr) return {};
  if (lsn <= timeline->get()->remote_consistent_lsn) return {};
  return upload(*timeline, {}, {}, call)
      .context(fmt::format("timeline {}, which the branch rests on, is not remote up to {} yet", id,
                           lsn));
}

Result<TimelineInfo> TenantManager::commit_timeline(TimelineDraft draft, const std::string& name,
                                                    const ByteProgress& progress,
                                                    const CallOptions& call) {
  const JoinedCall joined(options_.call, call);
  const TimelineManifest& manifest = draft.manifest().manifest;
  const TimelineRegistration registration{.id = manifest.id.timeline,
                                          .name = name,
                                          .ancestor = manifest.metadata.ancestor,
                                          .ancestor_lsn = manifest.metadata.ancestor_lsn,
                                          .created_at = options_.clock->now(),
                                          .deleted = false};
  VARVE_ASSIGN(const auto reservation,
               register_timeline(manifest.id.tenant, registration, joined.options()));
  return publish(std::move(draft), registration, progress, joined.options());
}

Result<TenantDirectory::Reservation> TenantManager::register_timeline(
    const TenantId& tenant, const TimelineRegistration& registration, const CallOptions& call) {
  VARVE_ASSIGN(const auto turn, take_turn(tenant, call));
  VARVE_TRY(directory_->tenant(tenant));
  VARVE_TRY(check_changeable(tenant));
  if (registration.ancestor) {
    // It may have been deleted since the branch was begun, and from now on cannot be.
    VARVE_TRY(branch_point({tenant, *registration.ancestor}, registration.ancestor_lsn, call));
  }
  VARVE_ASSIGN(auto reservation,
               directory_->reserve_timeline({tenant, registration.id}, registration.name));
  VARVE_TRY(change_tenant(
      tenant,
      [&](TenantManifest& manifest) -> Result<> {
        directory_->tidy(manifest);
        const bool taken =
            !registration.name.empty() &&
            std::ranges::any_of(manifest.timelines, [&](const TimelineRegistration& other) {
              return !other.deleted && other.name == registration.name;
            });
        // By a branch that an earlier call has made without hearing of it.
        if (taken) return name_is_taken(tenant, registration.name);
        manifest.timelines.push_back(registration);
        return {};
      },
      call));
  return reservation;
}

Result<TimelineInfo> TenantManager::publish(TimelineDraft draft,
                                            const TimelineRegistration& registration,
                                            const ByteProgress& progress, const CallOptions& call) {
  const TenantTimelineId id = draft.manifest().manifest.id;
  if (options_.remote != nullptr) {
    KeptTimeline committed(draft.directory(), draft.manifest());
    auto uploaded = upload(committed, {}, progress, call);
    if (!uploaded.ok() && registration.ancestor && retryable(uploaded.code())) {
      // A branch is there once it is registered.
      log_error(fmt::format("timeline {} was made, and its log has yet to be begun", id),
                uploaded.error());
    } else {
      VARVE_TRY(uploaded);
    }
    draft.manifest() = *committed.get();
    directory_->note_head(id, draft.manifest().head.sequence);
  }
  VARVE_TRY(draft.publish());
  store_->add_timeline(std::move(draft.manifest()));
  note_ready(id);
  return describe(id, {.registration = registration});
}

Result<> TenantManager::upload(KeptTimeline& timeline, UploadRequest request,
                               const ByteProgress& progress, const CallOptions& call) {
  const auto tenant = store_->tenant(timeline.get()->manifest.id.tenant);
  request.writer = tenant->get()->writer;
  VARVE_ASSIGN(const UploadResult result,
               upload_timeline(*options_.remote, request, timeline, progress, call));
  if (result.outcome != UploadOutcome::kFenced) return {};
  return fence_tenant(*options_.remote, *tenant, result.other);
}

Result<> TenantManager::delete_timeline(const TenantTimelineId& id, const CallOptions& call) {
  const JoinedCall joined(options_.call, call);
  VARVE_TRY(directory_->timeline(id));
  VARVE_ASSIGN(const auto files_turn, store_->take_files_turn(id, joined.options()));
  VARVE_ASSIGN(const auto turn, take_turn(id.tenant, joined.options()));
  return delete_in_turn(id, joined.options());
}

Result<> TenantManager::delete_in_turn(const TenantTimelineId& id, const CallOptions& call) {
  VARVE_ASSIGN(const KnownTimeline timeline, directory_->timeline(id));
  VARVE_TRY(check_changeable(id.tenant));
  if (const auto branch = directory_->branch_of(id)) {
    return make_error(ErrorCode::kConflict, "timeline {} has the branch {}: delete that first", id,
                      branch->name.empty() ? branch->id.to_string() : branch->name);
  }
  const auto directory = store_->timeline_directory(id);
  const State known = directory_->local_state(id);
  // What was uploaded since the start is known by the local state alone.
  const bool has_log = timeline.remote_head > 0 || (known != nullptr && known->head.sequence > 0);
  if (options_.remote != nullptr && has_log) {
    VARVE_ASSIGN(const Standing standing, this->standing(id, timeline, call));
    // The journal of the attempt needs a place even where nothing else of the timeline is local.
    VARVE_TRY(create_directories_durably(directory));
    // From here on its state is a local one, also where the deletion fails: what the attempt finds
    // out about the log must not be forgotten, or the next one takes it for another server's.
    const auto kept = standing.newest == standing.local ? store_->timeline(id)
                                                        : store_->add_timeline(*standing.newest);
    VARVE_TRY(upload(*kept, {.delete_timeline = true}, {}, call));
    directory_->note_head(id, kept->get()->head.sequence);
  }
  VARVE_TRY(change_tenant(
      id.tenant,
      [&](TenantManifest& manifest) -> Result<> {
        directory_->tidy(manifest);
        for (TimelineRegistration& registration : manifest.timelines) {
          if (registration.id == id.timeline) registration.deleted = true;
        }
        std::erase_if(manifest.pins,
                      [&](const TimelinePin& pin) { return pin.timeline == id.timeline; });
        return {};
      },
      call));
  directory_->forget_timeline(id);
  store_->forget_timeline(id);
  states_->forget(id);
  {
    const std::lock_guard lock(known_garbage_->mutex);
    known_garbage_->examined.erase(id);
  }
  warn_of_what_stays(fmt::format("timeline {}", id), remove_tree(directory));
  return {};
}

// The deletion holds: to call it a failure would have it repeated, which cannot be.
void TenantManager::warn_of_what_stays(std::string_view deleted, const Result<>& freed) {
  if (freed.ok()) return;
  spdlog::warn("{} was deleted, and some of its local files are left for the next start: {}",
               deleted, freed.error().message());
}

}  // namespace varve
