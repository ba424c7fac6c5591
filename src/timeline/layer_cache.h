// Layer files at hand: those of the timeline's directory, and others read from the remote storage.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "fs/temporary_directory.h"
#include "layer/layer_reader.h"
#include "storage_sync/layer_on_demand.h"
#include "storage_sync/manifest.h"
#include "storage_sync/sync_context.h"
#include "timeline/remote_reads.h"

namespace varve {

enum class ReadPattern {
  kOnDemand,    // Here and there: only what is read is fetched.
  kPart,        // The same, about in the order of keys: kept until its keys are passed.
  kEverything,  // All of it, sooner or later, about in the order of keys: layers are fetched
                // whole, in as few requests as can be, and kept until their keys are passed.
};

// Thread-safe. Of a layer that is not in the timeline's directory, a partial copy is kept in a
// scratch directory. Their number and size are bounded, the least recently used going first; where
// they are read in the order of keys, only those go whose keys were passed.
class LayerCache {
 public:
  struct Options {
    // The timeline's directory; empty when there is none.
    std::filesystem::path directory;
    LogName log;
    // None: layers that are not in the directory cannot be had.
    const SyncContext* remote = nullptr;
    // Asked where a layer is whose object is absent.
    std::shared_ptr<LayerLocator> locator;
    // Told of what is read of layers that are not local; null: nobody wants to know.
    std::shared_ptr<RemoteReads> remote_reads = {};
    // Where the scratch directory is made, on first use; made itself when only it is missing.
    std::filesystem::path scratch_parent;
    ReadPattern pattern = ReadPattern::kOnDemand;
    // Layers that are kept open. Each holds its index in memory, a few hundred KiB for 256 MiB.
    size_t kept_layers = 64;
    // That their partial copies take. The one in use is kept whatever its size.
    uint64_t kept_bytes = 768ULL << 20;
    CallOptions call;
  };
  explicit LayerCache(Options options);
  // Stops what is being fetched, but for layers whose readers are held elsewhere.
  ~LayerCache();

  using Reader = std::shared_ptr<const LayerReader>;

  // The reader stays usable however long it is held. NotFound, naming the layer, when it is neither
  // local nor remote.
  Result<Reader> get(const LayerEntry& layer);

  // As those of LayerReader. Where a block of the layer turns out to be damaged, it is read from
  // the other copy, and the reading goes on where it was. The cache must outlive a cursor.
  Result<VersionCursorPointer> cursor(const LayerEntry& layer, const KeyRange& range);
  Result<std::vector<LayerReader::FoundVersion>> find(const LayerEntry& layer, const Key& key,
                                                      Lsn lsn, Lsn first = Lsn{0});

  // Begins to fetch all of a layer that will be read soon, in the background. A failure shows when
  // it is read.
  void prefetch(const LayerEntry& layer);

  // When the layers were used last that were used since the last call.
  std::map<LayerName, Timestamp> take_uses();
  // Lets go of the files of these layers, whose readers stay usable.
  void forget(const std::set<LayerName>& layers);
  // Lets go of the partial copies of these layers, which have become local. Readers that are held
  // stay usable, and go on with them.
  void forget_copies(const std::set<LayerName>& layers);

  // Layers of which anything was fetched from the remote storage so far, and raw bytes.
  struct Fetched {
    uint64_t layers = 0;
    uint64_t bytes = 0;
  };
  Fetched fetched() const;

 private:
  class Cursor;
  using Copy = std::shared_ptr<LayerOnDemand>;
  struct Slot {
    LayerName name;
    // Somebody opens it; others wait.
    bool opening = true;
    // None before it was opened, or when only a prefetch has begun.
    std::optional<Result<Reader>> reader;
    // None of a layer that is local.
    Copy copy;
  };
  using SlotPointer = std::shared_ptr<Slot>;

  bool is_remote(const LayerEntry& layer) const;
  Result<bool> is_local(const LayerEntry& layer);
  Result<Reader> open(const LayerEntry& layer, Slot& slot);
  Result<Copy> make_copy(const LayerEntry& layer);
  Result<Reader> replace(const LayerEntry& layer, const Reader& failed, const Error& error);
  void report_damage(const LayerName& layer, const Error& error);
  Result<std::filesystem::path> scratch_directory();
  TenantTimelineId timeline() const { return {options_.log.tenant, options_.log.timeline}; }

  // With the lock held. What they give up is to be destroyed without it.
  void note_remote_use(const Slot& slot) const;
  std::list<SlotPointer>::iterator find_slot(const LayerName& layer);
  std::list<SlotPointer> take_surplus();
  bool is_dispensable(const Slot& slot) const;

  const Options options_;
  const std::shared_ptr<FetchCounters> counters_ = std::make_shared<FetchCounters>();
  mutable std::mutex mutex_;
  std::condition_variable opened_;
  std::list<SlotPointer> slots_;  // Most recently used first.
  // Where those cursors begin that are there; and where the last one did.
  std::multiset<Key> reading_;
  Key last_position_ = Key::min();
  std::map<LayerName, Timestamp> uses_;
  // Whose local files were found to be damaged.
  std::set<LayerName> damaged_;
  std::optional<TemporaryDirectory> scratch_;
};

}  // namespace varve
