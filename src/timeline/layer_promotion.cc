#include "timeline/layer_promotion.h"

#include <algorithm>

#include "base/logging.h"
#include "fs/directory.h"
#include "storage_sync/layer_download.h"
#include "timeline/layer_eviction.h"

namespace varve {
namespace {

// As the timeline has it now; none when it is gone, or not remote.
std::optional<LayerEntry> find_remote(const LocalStore& store, const TenantTimelineId& id,
                                      const LayerName& name) {
  const auto kept = store.timeline(id);
  if (kept == nullptr) return std::nullopt;
  const auto state = kept->get();
  const auto& layers = state->manifest.layers;
  const auto found = std::ranges::lower_bound(layers, name, {}, &LayerEntry::name);
  const bool is_there = found != layers.end() && found->name == name;
  return is_there && found->stored.is_remote() ? std::optional(*found) : std::nullopt;
}

class Promotion {
 public:
  Promotion(OpenTimelines& timelines, const PromotableLayer& wanted)
      : timelines_(timelines),
        store_(timelines.tenants().store()),
        reads_(*timelines.options().remote_reads),
        wanted_(wanted),
        name_(wanted.layer.name.to_string()) {}

  // False when it is not wanted any more.
  Result<bool> run(const CallOptions& call) {
    VARVE_TRY(create_directories_durably(timelines_.options().scratch_parent));
    VARVE_ASSIGN(const auto scratch,
                 TemporaryDirectory::create("promoted-", timelines_.options().scratch_parent));
    VARVE_TRY(fetch(scratch.path(), call));
    VARVE_TRY(set_modified(scratch / name_, wanted_.read.used));
    VARVE_ASSIGN(const auto turn, store_.take_files_turn(wanted_.timeline, call));
    return publish(scratch / name_);
  }

 private:
  Result<> fetch(const std::filesystem::path& directory, const CallOptions& call) {
    VARVE_ASSIGN(LayerDownload download,
                 LayerDownload::start(*timelines_.options().remote,
                                      {wanted_.timeline.tenant, wanted_.timeline.timeline},
                                      wanted_.layer, directory, call));
    return download.finish(call, [](uint64_t) {});
  }

  // It may have been dropped, replaced or deleted since.
  bool is_wanted() const {
    return is_listed() && reads_.find(wanted_.timeline, wanted_.layer.name).has_value();
  }
  bool is_listed() const {
    const auto now = find_remote(store_, wanted_.timeline, wanted_.layer.name);
    return now && now->checksum == wanted_.layer.checksum;
  }

  Result<bool> publish(const std::filesystem::path& file) {
    if (!is_wanted()) return false;
    const auto path = store_.timeline_directory(wanted_.timeline) / name_;
    VARVE_TRY(rename_durably(file, path));
    // A compaction takes no turn: it may have looked for the file before that was there.
    if (!is_listed()) {
      VARVE_TRY(remove_file(path));
      return false;
    }
    if (const auto timeline = timelines_.find(wanted_.timeline)) {
      timeline->reader()->cache().forget_copies({wanted_.layer.name});
    }
    forget();
    return true;
  }

 public:
  void forget() {
    reads_.forget(wanted_.timeline,
                  [&](const LayerName& layer) { return layer == wanted_.layer.name; });
  }

 private:
  OpenTimelines& timelines_;
  LocalStore& store_;
  RemoteReads& reads_;
  const PromotableLayer& wanted_;
  const std::string name_;
};

}  // namespace

bool is_worth_promotion(const PromotableLayer& layer) {
  return layer.read.was_warm || 2 * layer.read.fetched >= layer.layer.size;
}

std::optional<PromotableLayer> choose_promotion(std::vector<PromotableLayer> layers,
                                                uint64_t room) {
  std::erase_if(layers, [&](const PromotableLayer& layer) {
    return layer.layer.size > room || !is_worth_promotion(layer);
  });
  const auto chosen = std::ranges::max_element(
      layers, {}, [](const PromotableLayer& layer) { return layer.read.used; });
  if (chosen == layers.end()) return std::nullopt;
  return std::move(*chosen);
}

Result<std::vector<PromotableLayer>> find_promotable(OpenTimelines& timelines) {
  const auto& reads = timelines.options().remote_reads;
  if (reads == nullptr || timelines.options().remote == nullptr) {
    return std::vector<PromotableLayer>();
  }
  const LocalStore& store = timelines.tenants().store();
  std::vector<PromotableLayer> promotable;
  for (const RemoteRead& read : reads->recent()) {
    auto layer = find_remote(store, read.timeline, read.layer);
    VARVE_ASSIGN(const bool is_here,
                 path_exists(store.timeline_directory(read.timeline) / read.layer.to_string()));
    if (layer && !is_here) {
      promotable.push_back({.timeline = read.timeline, .layer = *std::move(layer), .read = read});
      continue;
    }
    reads->forget(read.timeline, [&](const LayerName& name) { return name == read.layer; });
  }
  return promotable;
}

Result<std::optional<PromotableLayer>> promote_layer(OpenTimelines& timelines, uint64_t low,
                                                     const CallOptions& call) {
  for (;;) {
    VARVE_ASSIGN(auto promotable, find_promotable(timelines));
    if (promotable.empty()) return std::optional<PromotableLayer>();
    VARVE_ASSIGN(const LocalLayers local, find_local_layers(timelines));
    auto chosen = choose_promotion(std::move(promotable), low - std::min(low, local.bytes));
    if (!chosen) return chosen;
    Promotion promotion(timelines, *chosen);
    const auto promoted = promotion.run(call);
    if (promoted.ok() && *promoted) return chosen;
    if (!promoted.ok() && (retryable(promoted.code()) || !call.check("").ok())) {
      return promoted.error();
    }
    if (!promoted.ok()) {
      log_error(fmt::format("layer {} of timeline {} stays remote only",
                            chosen->layer.name.to_string(), chosen->timeline),
                promoted.error());
    }
    // Otherwise it would be fetched time and again.
    promotion.forget();
  }
}

}  // namespace varve
