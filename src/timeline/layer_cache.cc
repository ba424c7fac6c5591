#include "timeline/layer_cache.h"

#include <algorithm>

#include "base/logging.h"
#include "fs/directory.h"

namespace varve {
namespace {

// How often a copy may turn out to be damaged before the disk is to blame.
constexpr int kMaximumRounds = 3;

Result<LayerCache::Reader> check_name(Result<LayerReader> reader, const LayerName& expected,
                                      const std::string& where) {
  if (!reader.ok()) return reader.error();
  if (reader->name() == expected) return std::make_shared<const LayerReader>(std::move(*reader));
  return make_error(ErrorCode::kCorrupted, "layer file {} says that it is {}", where,
                    reader->name().to_string());
}

}  // namespace

LayerCache::LayerCache(Options options) : options_(std::move(options)) {}
LayerCache::~LayerCache() = default;

Result<LayerCache::Reader> LayerCache::get(const LayerEntry& layer) {
  std::list<SlotPointer> surplus;
  std::unique_lock lock(mutex_);
  uses_[layer.name] = system_clock().now();
  SlotPointer slot;
  if (const auto found = find_slot(layer.name); found != slots_.end()) {
    slot = *found;
    slots_.splice(slots_.begin(), slots_, found);
    opened_.wait(lock, [&] { return !slot->opening; });
    if (slot->reader) {
      auto reader = *slot->reader;
      note_remote_use(*slot);
      surplus = take_surplus();
      lock.unlock();
      return reader;
    }
    slot->opening = true;
  } else {
    slot = std::make_shared<Slot>(Slot{.name = layer.name});
    slots_.push_front(slot);
  }
  lock.unlock();
  auto reader = open(layer, *slot);

  lock.lock();
  slot->reader = reader;
  slot->opening = false;
  note_remote_use(*slot);
  // A failure is told to those who wait for it now, and tried afresh by whoever asks next.
  if (!reader.ok()) slots_.remove(slot);
  surplus = take_surplus();
  opened_.notify_all();
  lock.unlock();
  return reader;
}

std::map<LayerName, Timestamp> LayerCache::take_uses() {
  const std::lock_guard lock(mutex_);
  return std::exchange(uses_, {});
}

void LayerCache::forget(const std::set<LayerName>& layers) {
  std::list<SlotPointer> forgotten;
  const std::lock_guard lock(mutex_);
  for (auto slot = slots_.begin(); slot != slots_.end();) {
    const auto next = std::next(slot);
    const bool is_local = !(*slot)->opening && !(*slot)->copy;
    if (is_local && layers.contains((*slot)->name)) {
      forgotten.splice(forgotten.end(), slots_, slot);
    }
    slot = next;
  }
}

void LayerCache::forget_copies(const std::set<LayerName>& layers) {
  std::list<SlotPointer> forgotten;
  const std::lock_guard lock(mutex_);
  for (const LayerName& layer : layers) {
    // The local file that was damaged is another one.
    damaged_.erase(layer);
    // Also one that is being opened: whoever waits for that gets it all the same.
    const auto found = find_slot(layer);
    if (found != slots_.end()) forgotten.splice(forgotten.end(), slots_, found);
  }
}

void LayerCache::note_remote_use(const Slot& slot) const {
  if (options_.remote_reads && slot.copy) options_.remote_reads->note_use(timeline(), slot.name);
}

void LayerCache::prefetch(const LayerEntry& layer) {
  std::list<SlotPointer> surplus;
  std::unique_lock lock(mutex_);
  if (const auto found = find_slot(layer.name); found != slots_.end()) {
    const Copy copy = (*found)->copy;
    lock.unlock();
    if (copy) copy->fetch_ahead();
    return;
  }
  if (!is_remote(layer)) return;
  const auto slot = std::make_shared<Slot>(Slot{.name = layer.name});
  slots_.push_front(slot);
  lock.unlock();

  const auto local = is_local(layer);
  Copy copy;
  if (local.ok() && !*local) {
    if (auto made = make_copy(layer); made.ok()) copy = *made;
  }
  if (copy) copy->fetch_ahead();

  lock.lock();
  slot->copy = std::move(copy);
  slot->opening = false;
  if (!slot->copy) slots_.remove(slot);
  surplus = take_surplus();
  opened_.notify_all();
  lock.unlock();
}

Result<LayerCache::Reader> LayerCache::open(const LayerEntry& layer, Slot& slot) {
  const std::string file_name = layer.name.to_string();
  const auto path = options_.directory / file_name;
  if (!slot.copy) {
    VARVE_ASSIGN(const bool local, is_local(layer));
    if (local) {
      auto reader = check_name(LayerReader::open(path), layer.name, path.string());
      if (reader.ok() || !is_remote(layer)) return reader;
      if (reader.failed_with(ErrorCode::kCorrupted)) {
        report_damage(layer.name, reader.error());
      } else {
        // The local copy may have been given up between the look and the opening.
        VARVE_ASSIGN(const bool still_local, is_local(layer));
        if (still_local) return reader;
      }
    }
    VARVE_ASSIGN(auto copy, make_copy(layer));
    const std::lock_guard lock(mutex_);
    slot.copy = std::move(copy);
  }
  if (options_.pattern == ReadPattern::kEverything) slot.copy->fetch_ahead();
  const std::string where = file_name + " in the remote storage";
  return check_name(LayerReader::open(slot.copy, where), layer.name, where);
}

Result<LayerCache::Copy> LayerCache::make_copy(const LayerEntry& layer) {
  if (!is_remote(layer)) {
    return make_error(ErrorCode::kNotFound,
                      "layer {} is neither in {} nor in a remote storage: it is lost",
                      layer.name.to_string(), options_.directory.string());
  }
  VARVE_ASSIGN(const auto scratch, scratch_directory());
  FrameFetcher::Options options{.log = options_.log,
                                .layer = layer,
                                .locator = options_.locator,
                                .call = options_.call,
                                .counters = counters_};
  if (options_.remote_reads) {
    options.fetched = [reads = options_.remote_reads, timeline = timeline(), name = layer.name](
                          uint64_t bytes) { reads->note_fetched(timeline, name, bytes); };
  }
  // What is read by and by is decoded once, as it is read; what is read again and again, before.
  const auto form =
      options_.pattern == ReadPattern::kOnDemand ? FrameForm::kRaw : FrameForm::kStored;
  return LayerOnDemand::open(*options_.remote, scratch, form, std::move(options));
}

class LayerCache::Cursor : public VersionCursor {
 public:
  Cursor(LayerCache& cache, LayerEntry layer, const KeyRange& range)
      : cache_(cache), layer_(std::move(layer)), range_(range) {
    const std::lock_guard lock(cache_.mutex_);
    place_ = cache_.reading_.insert(range_.start);
    cache_.last_position_ = range_.start;
  }
  ~Cursor() override {
    const std::lock_guard lock(cache_.mutex_);
    cache_.reading_.erase(place_);
  }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  Result<> start() {
    VARVE_ASSIGN(reader_, cache_.get(layer_));
    return mend(move_on());
  }

  const Version* current() const override { return at_ ? at_->current() : nullptr; }

  Result<> next() override {
    // Copied, since the version is gone when reading on fails.
    const Version& read = *at_->current();
    from_ = {.key = read.key, .lsn = read.lsn, .is_read = true};
    return mend(at_->next());
  }

  Result<> seek(const Key& key, Lsn lsn) override {
    if (!lies_before(*at_->current(), key, lsn)) return {};
    from_ = {.key = key, .lsn = lsn};
    return mend(at_->seek(key, lsn));
  }

 private:
  // To where reading began or was to go on.
  Result<> move_on() {
    VARVE_ASSIGN(at_, reader_->cursor({from_.key, range_.end}, from_.lsn));
    const Version* version = at_->current();
    const bool is_behind = from_.is_read && version != nullptr && version->key == from_.key &&
                           version->lsn == from_.lsn;
    return is_behind ? at_->next() : Result<>();
  }

  // What reading gave, or what it gives with another copy.
  Result<> mend(Result<> read) {
    for (int round = 1; read.failed_with(ErrorCode::kCorrupted) && round < kMaximumRounds;
         ++round) {
      at_.reset();
      VARVE_ASSIGN(reader_, cache_.replace(layer_, reader_, read.error()));
      read = move_on();
    }
    if (!read.ok()) at_.reset();
    return read;
  }

  LayerCache& cache_;
  const LayerEntry layer_;
  const KeyRange range_;
  std::multiset<Key>::iterator place_;
  // Destroyed after the cursor that reads it.
  Reader reader_;
  VersionCursorPointer at_;
  // Where to go on with another copy: at this version, or after it where it was left behind.
  struct Place {
    Key key;
    Lsn lsn = Lsn::max();
    bool is_read = false;
  };
  Place from_{.key = range_.start};
};

Result<VersionCursorPointer> LayerCache::cursor(const LayerEntry& layer, const KeyRange& range) {
  auto cursor = std::make_unique<Cursor>(*this, layer, range);
  VARVE_TRY(cursor->start());
  return VersionCursorPointer(std::move(cursor));
}

Result<std::vector<LayerReader::FoundVersion>> LayerCache::find(const LayerEntry& layer,
                                                                const Key& key, Lsn lsn,
                                                                Lsn first) {
  VARVE_ASSIGN(Reader reader, get(layer));
  for (int round = 1;; ++round) {
    auto found = reader->find(key, lsn, first);
    if (!found.failed_with(ErrorCode::kCorrupted) || round == kMaximumRounds) return found;
    VARVE_ASSIGN(reader, replace(layer, reader, found.error()));
  }
}

// A reader of what `failed` could not read. `error` when there is no other copy, or when what is
// remote is damaged as well.
Result<LayerCache::Reader> LayerCache::replace(const LayerEntry& layer, const Reader& failed,
                                               const Error& error) {
  if (!is_remote(layer)) return error;
  Copy copy;
  SlotPointer given_up;
  {
    const std::lock_guard lock(mutex_);
    const auto found = find_slot(layer.name);
    // Otherwise another thread has replaced it since, or it has left the cache.
    if (found != slots_.end() && (*found)->reader && (*found)->reader->ok() &&
        **(*found)->reader == failed) {
      copy = (*found)->copy;
      if (!copy) {
        given_up = *found;
        slots_.erase(found);
      }
    }
  }
  if (copy) {
    VARVE_ASSIGN(const bool repaired, copy->repair());
    if (!repaired) return error;
    return failed;
  }
  if (given_up) report_damage(layer.name, error);
  return get(layer);
}

void LayerCache::report_damage(const LayerName& layer, const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    if (!damaged_.insert(layer).second) return;
  }
  log_error("the remote copy of a damaged layer is read instead", error);
}

bool LayerCache::is_remote(const LayerEntry& layer) const {
  return options_.remote != nullptr && layer.stored.is_remote();
}

Result<bool> LayerCache::is_local(const LayerEntry& layer) {
  if (options_.directory.empty()) return false;
  {
    const std::lock_guard lock(mutex_);
    if (damaged_.contains(layer.name)) return false;
  }
  return path_exists(options_.directory / layer.name.to_string());
}

std::list<LayerCache::SlotPointer>::iterator LayerCache::find_slot(const LayerName& layer) {
  return std::ranges::find(slots_, layer, [](const SlotPointer& slot) { return slot->name; });
}

std::list<LayerCache::SlotPointer> LayerCache::take_surplus() {
  uint64_t bytes = 0;
  for (const SlotPointer& slot : slots_) {
    if (!slot->copy) continue;
    bytes += slot->copy->present_bytes();
    if (is_dispensable(*slot)) slot->copy->release_memory();
  }
  std::list<SlotPointer> surplus;
  const auto is_too_much = [&] {
    return slots_.size() > options_.kept_layers || bytes > options_.kept_bytes;
  };
  for (auto last = slots_.end(); is_too_much() && std::prev(last) != slots_.begin();) {
    const auto slot = std::prev(last);
    if (!is_dispensable(**slot)) {
      last = slot;
      continue;
    }
    if (const Copy& copy = (*slot)->copy) bytes -= std::min(bytes, copy->present_bytes());
    surplus.splice(surplus.end(), slots_, slot);
  }
  return surplus;
}

// To give up a layer that is about to be read again, by each of many small scans, would be to fetch
// it as often.
bool LayerCache::is_dispensable(const Slot& slot) const {
  if (slot.opening) return false;
  if (options_.pattern == ReadPattern::kOnDemand) return true;
  return slot.name.keys.end <= (reading_.empty() ? last_position_ : *reading_.begin());
}

Result<std::filesystem::path> LayerCache::scratch_directory() {
  const std::lock_guard lock(mutex_);
  if (!scratch_) {
    // An error shows next.
    std::error_code ignored;
    std::filesystem::create_directory(options_.scratch_parent, ignored);
    VARVE_ASSIGN(auto created,
                 TemporaryDirectory::create(".varve-scratch-", options_.scratch_parent));
    scratch_.emplace(std::move(created));
  }
  return scratch_->path();
}

LayerCache::Fetched LayerCache::fetched() const {
  return {counters_->layers, counters_->bytes};
}

}  // namespace varve
