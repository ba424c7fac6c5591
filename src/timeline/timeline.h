// A timeline that is written to: its newest versions are in memory, the others in layer files.
//
// What is ingested goes into the open layer in memory. A frozen one takes nothing more, waits to be
// written as a delta layer file, and is then given up. A checkpoint is: layer files, synced and
// named, then the metadata file that lists them, replaced in one step. A crash loses what is only
// in memory; the timeline reopens at disk_consistent_lsn, and the feed resumes there.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <utility>

#include "runtime/signal.h"
#include "storage_sync/kept_state.h"
#include "timeline/compaction.h"
#include "timeline/timeline_reader.h"

namespace varve {

// Thread-safe: one feed ingests while others read, and one at a time does the maintenance.
class Timeline : public VersionSource {
 public:
  friend class TimelineFeed;

  struct Options {
    // Memory of the open layer from which on it is frozen, bytes.
    uint64_t checkpoint_distance = 256ULL << 20;
    // Of all layers in memory, from which on wait_for_room() waits, bytes.
    uint64_t memory_limit = 768ULL << 20;
    CompactionOptions compaction = {};
    // What reads the layer files; its directory is that of the metadata file.
    LayerCache::Options cache;
    std::shared_ptr<TimelineReader> ancestor = {};
    std::shared_ptr<Redo> redo = {};
    // Whether an LSN is kept for good, so that it can be read below the cutoff of what is
    // collected.
    std::function<bool(Lsn)> is_pinned = {};
  };
  // Goes on from what the metadata file has. Layer files that it does not list, left from a crash,
  // are removed: nobody else may write to the directory, the sync engine excepted.
  static Result<std::unique_ptr<Timeline>> open(std::shared_ptr<KeptTimeline> kept,
                                                Options options);

  // Start and end of the last one of some records.
  struct RecordEnd {
    Lsn start;
    Lsn end;
  };
  // Takes what records changed, up to and including the last one; they show from then on, together.
  // Their LSNs lie above last_record_lsn() and go up to `last.end`; InvalidArgument otherwise, and
  // then nothing was taken. Those of a key ascend; where they do not, and after any other error,
  // nothing more is taken until the timeline is opened again.
  Result<> ingest(const RecordEnd& last, std::span<const Version> versions);

  // Everything up to here was ingested. Where the feed must resume after open().
  Lsn last_record_lsn() const;
  // The record that ends there; its start is 0 where it is not known.
  RecordEnd last_record() const;
  // Everything up to here is in layer files.
  Lsn disk_consistent_lsn() const;
  // From where on it can be read: gc_cutoff_lsn.
  Lsn oldest_lsn() const;
  // Of layers in memory, bytes.
  size_t memory_bytes() const;
  // To be called by the feed before it goes on: returns once less than the limit is in memory.
  // Cancelled on a stop request, or when the deadline passes before.
  Result<> wait_for_room(const CallOptions& options);
  // Notified when there is something to flush.
  Signal& frozen_signal() { return frozen_signal_; }

  // Gives what was ingested so far to the next flush().
  void freeze();
  // Writes what is frozen into layer files and the metadata file. Returns whether there was
  // anything. After an error what was not written is still there, and the call may be repeated.
  Result<bool> flush();
  // Both, for everything that was ingested before the call.
  Result<> checkpoint();

  // Takes over what an upload has noted about where layers are stored, so that those whose local
  // files are gone can be read.
  void take_over_uploads() { take_over_layers(); }

  // Merges delta layers where too many lie above each other, and makes image layers where chains
  // have grown long. Returns whether there was anything to do.
  Result<bool> compact();

  // Whether there is somebody who ingests, and by whom more may come.
  bool is_fed() const { return feeds_ > 0; }

  // Keeps an LSN readable, whatever is collected, for as long as it exists; the timeline outlives
  // it.
  class Lease {
   public:
    Lease(Lease&& other) noexcept
        : timeline_(std::exchange(other.timeline_, nullptr)), at_(other.at_) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease();

   private:
    friend class Timeline;
    Lease(Timeline& timeline, std::multiset<Lsn>::iterator at) : timeline_(&timeline), at_(at) {}
    Timeline* timeline_;
    std::multiset<Lsn>::iterator at_;
  };
  // NotFound when it cannot be read any more.
  Result<Lease> retain(Lsn lsn);

  // Gives up what can only be read below `cutoff`, the LSNs excepted at which branches begin, those
  // that are pinned, and those that are leased. InvalidArgument for a cutoff that is not on disk
  // yet. Returns how many layers are gone. `kept_points` is asked once no lease ends unnoticed any
  // more: a branch or pin that is made under a lease is seen by the one or by the other.
  using FindKeptPoints = std::function<std::set<Lsn>()>;
  Result<size_t> collect_garbage(Lsn cutoff, const FindKeptPoints& kept_points);

  // For a branch to read what it inherits. The timeline outlives it.
  std::shared_ptr<TimelineReader> reader() { return reader_; }
  // One that keeps layers of its own at hand, for somebody who reads in another way or for some
  // time only. Sees the same, but for what is ingested later. The timeline outlives it.
  std::shared_ptr<TimelineReader> open_reader(ReadPattern pattern,
                                              const std::filesystem::path& scratch_parent,
                                              std::shared_ptr<TimelineReader> ancestor);
  // For the feed, which has to know what it has brought so far: sees whatever was ingested, also
  // below gc_cutoff_lsn for as long as nothing was collected. The timeline outlives it.
  std::shared_ptr<TimelineReader> open_feed_reader();

  // From gc_cutoff_lsn to last_record_lsn(), which lies below it until the WAL of a base backup was
  // ingested.
  Result<> scan(const KeyRange& range, Lsn lsn, const ImageSink& sink) override;
  Result<Bytes> get(const Key& key, Lsn lsn) override;

 private:
  struct FrozenLayer {
    std::shared_ptr<const InMemoryLayer> content;
    // Its versions lie after `start`, up to and including last.end.
    Lsn start;
    RecordEnd last;
  };

  Timeline(std::shared_ptr<KeptTimeline> kept, Options options);

  using IsRetained = std::function<bool(Lsn)>;
  std::shared_ptr<TimelineReader> make_reader(LayerCache::Options cache,
                                              std::shared_ptr<TimelineReader> ancestor,
                                              IsRetained is_retained) const;
  // With mutex_ held: shows it what there is from now on.
  void add_reader(const std::shared_ptr<TimelineReader>& reader, Lsn last);
  IsRetained leased_or_pinned() const;
  Result<> check(const RecordEnd& last, std::span<const Version> versions) const;
  bool is_leased(Lsn lsn) const;
  // With mutex_ held.
  void freeze_open_layer();
  void publish();
  // Takes over the layer files of the kept state, in the order in which it changes.
  void take_over_layers();

  Result<LayerEntry> write_layer(const FrozenLayer& frozen);
  // At the same time; those without a version are left out.
  Result<std::vector<LayerEntry>> write_layers(const std::vector<FrozenLayer>& frozen);
  // Puts `added` into the state in place of `removed`, with what `also` changes. The files of the
  // latter are still there.
  Result<> change_layers(const LayerChange& change,
                         const std::function<void(LocalManifest&)>& also = {});
  // Gives up what is below, in the state alone.
  Result<LayerChange> move_cutoff(Lsn cutoff, const FindKeptPoints& kept_points);
  // Waits for an upload that began before: it may still read them.
  void free_files(const std::vector<LayerEntry>& replaced);

  const std::shared_ptr<KeptTimeline> kept_;
  const Options options_;
  LayerFiles files_;
  const std::shared_ptr<TimelineReader> reader_;
  // Those of open_reader().
  std::vector<std::weak_ptr<TimelineReader>> other_readers_;
  // Held over a flush and over a compaction, of which there is one at a time each.
  std::mutex flush_turn_;
  std::mutex compaction_turn_;
  // Held while the cutoff moves, or must not.
  std::mutex collection_turn_;
  std::mutex take_over_turn_;
  Signal frozen_signal_;
  // Notified when a flush has freed memory.
  Signal room_signal_;
  mutable std::mutex mutex_;
  std::atomic<int> feeds_ = 0;
  // Set when a version was refused by the open layer, which then holds half of a record.
  bool is_broken_ = false;
  const std::shared_ptr<LargeChunks> large_chunks_ = std::make_shared<LargeChunks>();
  std::shared_ptr<InMemoryLayer> open_;
  Lsn open_start_;
  RecordEnd last_;
  std::multiset<Lsn> leased_;
  std::deque<FrozenLayer> frozen_;  // The oldest first.
  std::shared_ptr<const LayerSnapshot> layers_;
};

}  // namespace varve
