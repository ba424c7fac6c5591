#include "timeline/layer_cache.h"

#include <algorithm>

#include "base/logging.h"
#include "fs/directory.h"
#include "storage_sync/object_reader.h"

namespace varve {

LayerCache::~LayerCache() = default;

Result<std::shared_ptr<const LayerReader>> LayerCache::get(const LayerEntry& layer) {
  std::shared_ptr<Slot> slot;
  {
    std::unique_lock lock(mutex_);
    const auto found = std::ranges::find(slots_, layer.name, [](const auto& s) { return s->name; });
    if (found != slots_.end()) {
      slot = *found;
      slots_.splice(slots_.begin(), slots_, found);
      fetched_condition_.wait(lock, [&] { return slot->reader.has_value(); });
      return *slot->reader;
    }
    slot = std::make_shared<Slot>(layer.name, std::nullopt);
    slots_.push_front(slot);
  }
  auto reader = open_or_fetch(layer);

  const std::lock_guard lock(mutex_);
  slot->reader = reader;
  // A failure is told to those who wait for it now, and tried afresh by whoever asks next.
  if (!reader.ok()) slots_.remove(slot);
  while (slots_.size() > options_.kept_layers && slots_.back()->reader) slots_.pop_back();
  fetched_condition_.notify_all();
  return reader;
}

Result<LayerCache::Reader> LayerCache::open_or_fetch(const LayerEntry& layer) {
  const std::string file_name = layer.name.to_string();
  const auto open = [&](const std::filesystem::path& path) -> Result<Reader> {
    VARVE_ASSIGN(LayerReader reader, LayerReader::open(path));
    if (reader.name() != layer.name) {
      return make_error(ErrorCode::kCorrupted, "layer file {} says that it is {}", path.string(),
                        reader.name().to_string());
    }
    return std::make_shared<const LayerReader>(std::move(reader));
  };
  const bool is_remote = options_.remote != nullptr && layer.stored.is_remote();
  if (!options_.directory.empty()) {
    const auto path = options_.directory / file_name;
    VARVE_ASSIGN(const bool is_local, path_exists(path));
    if (is_local) {
      auto reader = open(path);
      if (!is_remote || !reader.failed_with(ErrorCode::kCorrupted)) return reader;
      log_error("the remote copy of a damaged layer is read instead", reader.error());
    }
  }
  if (!is_remote) {
    return make_error(ErrorCode::kNotFound,
                      "layer {} is neither in {} nor in a remote storage: it is lost", file_name,
                      options_.directory.string());
  }
  VARVE_ASSIGN(const auto scratch, scratch_directory());
  VARVE_TRY(download_layer(*options_.remote, options_.log, layer, scratch, Durability::kScratch,
                           options_.call));
  auto reader = open(scratch / file_name);
  // The open file is all that is needed; without its name nothing is left behind by a crash.
  VARVE_TRY(remove_file(scratch / file_name));
  const std::lock_guard lock(mutex_);
  ++fetched_.layers;
  fetched_.bytes += layer.size;
  return reader;
}

Result<std::filesystem::path> LayerCache::scratch_directory() {
  const std::lock_guard lock(mutex_);
  if (!scratch_) {
    VARVE_ASSIGN(auto created,
                 TemporaryDirectory::create(".varve-scratch-", options_.scratch_parent));
    scratch_.emplace(std::move(created));
  }
  return scratch_->path();
}

void LayerCache::prefetch(const LayerEntry& layer) {
  // Held to the end, since several threads may read at once. The assignment joins the thread
  // before, which no longer needs the lock once it has cleared the flag.
  const std::lock_guard lock(mutex_);
  if (prefetching_) return;
  prefetching_ = true;
  prefetcher_ = std::jthread([this, layer] {
    std::ignore = get(layer);
    const std::lock_guard done(mutex_);
    prefetching_ = false;
  });
}

LayerCache::Fetched LayerCache::fetched() const {
  const std::lock_guard lock(mutex_);
  return fetched_;
}

}  // namespace varve
