#include "storage_sync/remote_gc.h"

#include <algorithm>
#include <map>
#include <set>

namespace varve {
namespace {

class Judge {
 public:
  Judge(const LocalManifest& state, const ListedLog& listed, Timestamp now, Duration grace_period)
      : listed_(listed),
        now_(now),
        grace_period_(grace_period),
        live_(state.remote_objects.begin(), state.remote_objects.end()) {
    for (const LayerEntry& layer : state.manifest.layers) live_.insert(layer.stored.object);
    for (const RetiredObject& retired : state.manifest.retired) {
      superseded_by_.emplace(retired.object, retired.superseded_by);
    }
  }

  bool may_go(const ListedObject& object) const {
    const std::string name = object.name.file_name();
    if (live_.contains(name)) return false;
    const auto retired = superseded_by_.find(name);
    if (retired != superseded_by_.end()) return commit_is_old(retired->second);
    if (object.name.kind == ObjectKind::kPack) return is_old(object);
    return commit_is_old(object.name.sequence + 1);
  }

 private:
  bool is_old(const ListedObject& object) const {
    return is_older_than(grace_period_, object, now_);
  }
  // By itself or, where it is gone by now, by the next one, which is younger.
  bool commit_is_old(uint64_t sequence) const {
    const auto commit =
        std::ranges::lower_bound(listed_.archives, sequence, {},
                                 [](const ListedObject& archive) { return archive.name.sequence; });
    return commit != listed_.archives.end() && is_old(*commit);
  }

  const ListedLog& listed_;
  const Timestamp now_;
  const Duration grace_period_;
  std::set<std::string> live_;
  std::map<std::string, uint64_t> superseded_by_;
};

Result<> forget_what_is_gone(KeptTimeline& timeline, const ListedLog& listed,
                             const std::vector<ListedObject>& deleted) {
  std::set<std::string> there;
  for (const auto* objects : {&listed.archives, &listed.rivals, &listed.packs}) {
    for (const ListedObject& object : *objects) there.insert(object.name.file_name());
  }
  for (const ListedObject& object : deleted) there.erase(object.name.file_name());
  const auto is_gone = [&](const RetiredObject& retired) {
    return !there.contains(retired.object);
  };
  if (std::ranges::none_of(timeline.get()->manifest.retired, is_gone)) return {};
  return timeline.change([&](LocalManifest& state) -> Result<> {
    std::erase_if(state.manifest.retired, is_gone);
    return {};
  });
}

}  // namespace

Result<std::vector<ListedObject>> find_collectable(const LocalManifest& state, const LogName& log,
                                                   const RemoteListing& listing,
                                                   Duration grace_period) {
  const ListedLog* const listed = listing.find(log);
  VARVE_TRY(check_head(log, state.head.sequence, listed));
  std::vector<ListedObject> collectable;
  if (listed == nullptr) return collectable;
  const Judge judge(state, *listed, listing.storage_time, grace_period);
  for (const auto* objects : {&listed->archives, &listed->packs}) {
    for (const ListedObject& object : *objects) {
      // The head is what everything is judged by.
      const bool is_head =
          object.name.kind != ObjectKind::kPack && object.name.sequence == state.head.sequence;
      if (!is_head && judge.may_go(object)) collectable.push_back(object);
    }
  }
  return collectable;
}

Result<CollectedGarbage> collect_remote_garbage(const SyncContext& context, KeptTimeline& timeline,
                                                const CallOptions& options) {
  // Otherwise the packs of a commit under way would be taken for those of one that failed.
  const auto turn = timeline.take_commit_turn();
  const auto state = timeline.get();
  const LogName log{state->manifest.id.tenant, state->manifest.id.timeline};
  VARVE_ASSIGN(const RemoteListing listing, list_remote(context.storage, log.prefix(), options));
  VARVE_ASSIGN(const auto collectable,
               find_collectable(*state, log, listing, context.options.grace_period));
  CollectedGarbage collected;
  VARVE_ASSIGN(const auto deleted,
               remove_objects(context.storage, collectable, collected, options));
  if (const ListedLog* listed = listing.find(log)) {
    VARVE_TRY(forget_what_is_gone(timeline, *listed, deleted));
  }
  return collected;
}

}  // namespace varve
