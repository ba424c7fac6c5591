// Giving up tenants: the copy of one work directory, or the tenant itself.
#include <algorithm>
#include <set>

#include "fs/directory.h"
#include "runtime/joined_call.h"
#include "timeline/tenant_manager.h"

namespace varve {
namespace {

// Conflict while something is here alone; Corrupted when the storage has lost what it held.
Result<> check_is_remote(const LocalManifest& state, const RemoteListing& listing) {
  const TenantTimelineId& id = state.manifest.id;
  if (!state.in_sync()) {
    return make_error(ErrorCode::kConflict,
                      "timeline {} has something that is not in the remote storage: bring it there "
                      "with 'varve timeline checkpoint', then repeat this",
                      id);
  }
  const LogName log{id.tenant, id.timeline};
  const ListedLog* const listed = listing.find(log);
  const auto names = listed == nullptr ? std::set<std::string>() : listed->file_names();
  // Somebody has gone on from there, and the objects of this state may have been collected.
  if (listed != nullptr && listed->head_sequence() > state.head.sequence) return {};
  for (const std::string& object : state.remote_objects) {
    if (names.contains(object)) continue;
    return make_error(ErrorCode::kCorrupted,
                      "object {}{} is missing in the remote storage: the local copies stay",
                      log.prefix(), object);
  }
  return {};
}

// The metadata file last: without it, nobody would know what the other files are.
Result<> remove_timeline_files(const std::filesystem::path& directory) {
  VARVE_ASSIGN(const auto entries, list_directory(directory));
  for (const DirectoryEntry& entry : entries) {
    if (entry.name != kMetadataFileName) VARVE_TRY(remove_file(directory / entry.name));
  }
  VARVE_TRY(sync_directory(directory));
  return remove_tree(directory);
}

}  // namespace

Result<TenantManager::WholeTenant> TenantManager::take_whole_tenant(const TenantId& id,
                                                                    const CallOptions& call) {
  for (;;) {
    std::vector<LocalStore::FilesTurn> files;
    const auto taken = timeline_ids(id);
    for (const TenantTimelineId& timeline : taken) {
      VARVE_ASSIGN(auto turn, store_->take_files_turn(timeline, call));
      files.push_back(std::move(turn));
    }
    VARVE_ASSIGN(auto turn, take_turn(id, call));
    // Both are ascending. What was made while this waited must be taken as well.
    if (std::ranges::includes(taken, timeline_ids(id))) {
      return WholeTenant{.files = std::move(files), .tenant = std::move(turn)};
    }
  }
}

Result<> TenantManager::detach_tenant(const TenantId& id, const CallOptions& call) {
  const JoinedCall joined(options_.call, call);
  VARVE_TRY(directory_->tenant(id));
  if (options_.remote == nullptr) {
    return make_error(ErrorCode::kConflict,
                      "tenant {} cannot be detached: no remote storage is configured, and nothing "
                      "but this work directory would have it",
                      id);
  }
  VARVE_ASSIGN(const auto turns, take_whole_tenant(id, joined.options()));
  VARVE_TRY(directory_->tenant(id));
  VARVE_TRY(check_makes_nothing(id));
  VARVE_ASSIGN(const RemoteListing listing,
               list_remote(options_.remote->storage, tenant_prefix(id), joined.options()));

  const auto tenant = store_->tenant(id);
  const uint64_t head = tenant->get()->head.sequence;
  const ListedLog* const listed = listing.find({id, {}});
  if (head == 0) {
    return make_error(ErrorCode::kConflict,
                      "tenant {} has never been in the remote storage: nothing but this work "
                      "directory has it",
                      id);
  }
  if (listed == nullptr || listed->head_sequence() < head) {
    return make_error(ErrorCode::kCorrupted,
                      "the remote log of tenant {} ends before number {}, which this work "
                      "directory has seen: the local copies stay",
                      id, head);
  }
  std::vector<std::shared_ptr<KeptTimeline>> copies;
  for (const auto& [timeline_id, timeline] : directory_->timelines(id)) {
    if (timeline.damage) return timeline.damage->context(fmt::format("timeline {}", timeline_id));
    const auto kept = store_->timeline(timeline_id);
    if (kept == nullptr) continue;
    VARVE_TRY(check_is_remote(*kept->get(), listing));
    copies.push_back(kept);
  }

  for (const auto& copy : copies) VARVE_TRY(give_up_copy(*copy, listing));
  VARVE_TRY(tenant->change([](LocalTenant& local) -> Result<> {
    local.writer = {};
    local.fence.reset();
    local.attaching = false;
    return {};
  }));
  // Should the tenant file be lost, a nonce in here would prove the tenant to be this directory's.
  return remove_file(tenant->directory() / kNonceJournalFileName);
}

Result<> TenantManager::give_up_copy(KeptTimeline& timeline, const RemoteListing& listing) {
  const auto commit_turn = timeline.take_commit_turn();
  const State state = timeline.get();
  VARVE_TRY(check_is_remote(*state, listing));
  VARVE_TRY(remove_timeline_files(timeline.directory()));
  const TenantTimelineId& id = state->manifest.id;
  const uint64_t head = listing.find({id.tenant, id.timeline})->head_sequence();
  directory_->note_head(id, head, head == state->head.sequence ? state : nullptr);
  store_->forget_timeline(id);
  states_->set_timeline_states({{id, TimelineSyncState::kCloudOnly, state->remote_consistent_lsn}});
  return {};
}

Result<> TenantManager::delete_tenant(const TenantId& id, const CallOptions& call) {
  const JoinedCall joined(options_.call, call);
  VARVE_TRY(directory_->tenant(id));
  VARVE_ASSIGN(const auto turns, take_whole_tenant(id, joined.options()));
  VARVE_TRY(directory_->tenant(id));
  VARVE_TRY(check_changeable(id));
  VARVE_TRY(check_makes_nothing(id));
  for (auto left = timeline_ids(id); !left.empty(); left = timeline_ids(id)) {
    const auto leaf = std::ranges::find_if(left, [&](const TenantTimelineId& timeline) {
      return !directory_->branch_of(timeline).has_value();
    });
    if (leaf == left.end()) {
      return make_error(ErrorCode::kCorrupted,
                        "the timelines of tenant {} are branches in a circle", id);
    }
    VARVE_TRY(delete_in_turn(*leaf, joined.options()));
  }
  auto done = change_tenant(
      id,
      [](TenantManifest& manifest) -> Result<> {
        manifest.deleted = true;
        for (TimelineRegistration& timeline : manifest.timelines) timeline.deleted = true;
        manifest.pins.clear();
        return {};
      },
      joined.options());
  // An error may only say that an earlier attempt had landed: there is nothing left to change.
  if (!store_->tenant(id)->get()->manifest.deleted) return done;
  warn_of_what_stays(fmt::format("tenant {}", id), free_tenant(id));
  return {};
}

Result<> TenantManager::free_tenant(const TenantId& id) const {
  VARVE_TRY(remove_tree(store_->timelines_directory(id)));
  return remove_file(store_->tenant_directory(id) / kNonceJournalFileName);
}

}  // namespace varve
