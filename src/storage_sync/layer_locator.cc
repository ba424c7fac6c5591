#include "storage_sync/layer_locator.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "storage_sync/object_reader.h"
#include "storage_sync/remote_listing.h"

namespace varve {
namespace {

// How often the newest commit may be superseded and removed between its listing and its reading,
// which takes the owner the whole grace period each time.
constexpr int kMaximumRounds = 3;

const LayerEntry* find_layer(const TimelineManifest* manifest, const LayerEntry& layer) {
  if (manifest == nullptr) return nullptr;
  const auto found = std::ranges::find_if(manifest->layers, [&](const LayerEntry& other) {
    return other.name == layer.name && other.checksum == layer.checksum;
  });
  return found == manifest->layers.end() ? nullptr : &*found;
}

}  // namespace

Result<StoredMember> LayerLocator::locate(const LayerEntry& layer, const CallOptions& options) {
  // When one layer has moved, others have as well.
  auto newest = newest_known();
  const LayerEntry* found = find_layer(newest.get(), layer);
  if (found == nullptr || found->stored == layer.stored) {
    VARVE_ASSIGN(newest, read_newest(options));
    found = find_layer(newest.get(), layer);
  }
  const std::string name = layer.name.to_string();
  if (newest->deleted) {
    return make_error(ErrorCode::kNotFound, "timeline {} was deleted, and layer {} with it",
                      newest->id, name);
  }
  if (found == nullptr) {
    return make_error(ErrorCode::kNotFound,
                      "layer {} was removed meanwhile, and object {} that held it: timeline {} can "
                      "now be read from {} to {}",
                      name, layer.stored.object, newest->id, newest->metadata.gc_cutoff_lsn,
                      newest->metadata.disk_consistent_lsn);
  }
  if (found->stored == layer.stored) {
    return make_error(ErrorCode::kNotFound,
                      "object {}{}, which holds layer {}, is missing: 'varve remote verify' tells "
                      "what else is",
                      log_.prefix(), layer.stored.object, name);
  }
  spdlog::info("layer {} has moved from object {} to {}", name, layer.stored.object,
               found->stored.object);
  return found->stored;
}

std::shared_ptr<const TimelineManifest> LayerLocator::newest_known() const {
  const std::lock_guard lock(mutex_);
  return newest_;
}

Result<std::shared_ptr<const TimelineManifest>> LayerLocator::read_newest(
    const CallOptions& options) {
  for (int round = 1;; ++round) {
    VARVE_ASSIGN(const RemoteListing listing,
                 list_remote(context_.storage, log_.prefix(), options));
    const ListedLog* log = listing.find(log_);
    if (log == nullptr || log->archives.empty()) {
      return make_error(ErrorCode::kNotFound, "the log {} is gone from the remote storage",
                        log_.prefix());
    }
    auto commit = read_timeline_commit(context_.storage, log->archives.back().name, options);
    if (commit.failed_with(ErrorCode::kNotFound) && round < kMaximumRounds) continue;
    if (!commit.ok()) return commit.error();
    auto newest = std::make_shared<const TimelineManifest>(std::move(commit->manifest));
    const std::lock_guard lock(mutex_);
    if (newest_ == nullptr || newest_->stamp.sequence < newest->stamp.sequence) newest_ = newest;
    return newest_;
  }
}

}  // namespace varve
