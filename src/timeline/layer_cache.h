// Layer files at hand: those of the timeline's directory, and others fetched from the remote
// storage.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "fs/temporary_directory.h"
#include "layer/layer_reader.h"
#include "storage_sync/manifest.h"
#include "storage_sync/sync_context.h"

namespace varve {

// Thread-safe. A layer that is not in the timeline's directory is downloaded into a scratch
// directory, of which a few are kept, the least recently used going first; the same layer is never
// downloaded twice at a time.
class LayerCache {
 public:
  struct Options {
    // The timeline's directory; empty when there is none.
    std::filesystem::path directory;
    LogName log;
    // None: layers that are not in the directory cannot be had.
    const SyncContext* remote = nullptr;
    // Where the scratch directory is made, on first use.
    std::filesystem::path scratch_parent;
    size_t kept_layers = 3;
    CallOptions call;
  };
  explicit LayerCache(Options options) : options_(std::move(options)) {}
  // Waits for a prefetch that is under way.
  ~LayerCache();

  // The reader stays usable however long it is held. NotFound, naming the layer, when it is neither
  // local nor remote.
  Result<std::shared_ptr<const LayerReader>> get(const LayerEntry& layer);

  // Begins to fetch a layer that will be needed soon, in the background; one at a time, others are
  // ignored. A failure shows when the layer is asked for.
  void prefetch(const LayerEntry& layer);

  // Layers and raw bytes fetched from the remote storage so far.
  struct Fetched {
    uint64_t layers = 0;
    uint64_t bytes = 0;
  };
  Fetched fetched() const;

 private:
  using Reader = std::shared_ptr<const LayerReader>;
  struct Slot {
    LayerName name;
    // None while it is being fetched.
    std::optional<Result<Reader>> reader;
  };

  Result<Reader> open_or_fetch(const LayerEntry& layer);
  Result<std::filesystem::path> scratch_directory();

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable fetched_condition_;
  std::list<std::shared_ptr<Slot>> slots_;  // Most recently used first.
  std::optional<TemporaryDirectory> scratch_;
  Fetched fetched_;
  bool prefetching_ = false;
  std::jthread prefetcher_;
};

}  // namespace varve
