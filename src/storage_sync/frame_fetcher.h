// Brings frames of one layer from the remote storage.
//
// What is being fetched is not asked for again: any number of threads that need a frame wait for
// the one request that brings it. A request that fails, fails those who wait for it; whoever asks
// next tries afresh. Requests run on context.transfer_pool, which bounds how many there are at a
// time, so the calling thread must not be one of it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "storage_sync/frame_stream.h"
#include "storage_sync/layer_frames.h"
#include "storage_sync/layer_locator.h"
#include "storage_sync/sync_context.h"

namespace varve {

// Frames fetched by all that share it.
struct FetchCounters {
  std::atomic<uint64_t> layers = 0;  // Of which anything was fetched.
  std::atomic<uint64_t> bytes = 0;   // Raw.
};

// Thread-safe.
class FrameFetcher {
 public:
  struct Options {
    LogName log;
    // Remote; whose frames these are.
    LayerEntry layer;
    // Asked for another place of the layer when its object turns out to be absent. None: that is
    // NotFound.
    std::shared_ptr<LayerLocator> locator;
    // Of all requests. Who waits has options of its own besides.
    CallOptions call;
    // A failure of what start() began, and that nobody was waiting for, is told to who fetches
    // next. Otherwise it is forgotten: that one tries afresh.
    bool report_failed_start = false;
    std::shared_ptr<FetchCounters> counters = std::make_shared<FetchCounters>();
    // Told the raw bytes of each frame that came, from threads of the transfer pool.
    std::function<void(uint64_t)> fetched = {};
  };
  // The context and what holds the frames outlive it.
  FrameFetcher(const SyncContext& context, LayerFrames& frames, Options options);
  // Stops what is under way and waits for it to end.
  ~FrameFetcher();
  FrameFetcher(const FrameFetcher&) = delete;
  FrameFetcher& operator=(const FrameFetcher&) = delete;

  // Returns once the frames (numbers, ascending) are here. What is lacking of `ahead` is
  // begun with them, and not waited for. `progress` is called on the way, each time some may have
  // come, with no lock held. A request that nobody waits for any more is stopped, unless it was
  // begun ahead; a waiter that stops does not disturb the others.
  Result<> fetch(std::span<const size_t> frames, FrameRange ahead, const CallOptions& options,
                 const std::function<void()>& progress = {});
  Result<> fetch(FrameRange frames, const CallOptions& options,
                 const std::function<void()>& progress = {});

  // Begins to fetch what of these frames is not here yet, and waits for nothing.
  void start(FrameRange frames);

 private:
  // One request.
  struct Flight {
    // What it brings; empty for the one that brings the frame table and the tail.
    FrameRange range;
    // Of the tail alone: what to begin with as soon as the table is here.
    std::vector<size_t> next;
    size_t waiters = 0;
    // Goes on though nobody waits.
    bool in_background = false;
    bool ended = false;
    std::optional<Error> error;
    std::atomic<bool> begun = false;
    std::stop_source stop;
  };
  using FlightPointer = std::shared_ptr<Flight>;
  using Flights = std::vector<FlightPointer>;
  // Where the frames are. They belong together, and both change when the layer has moved.
  struct Place {
    StoredMember stored;
    std::shared_ptr<const FrameTable> table;  // Null until it is known.
  };

  // With the lock held. What they return is to be submitted without it.
  Flights begin(std::span<const size_t> frames, FrameRange ahead);
  Flights claim(std::span<const size_t> frames);
  bool all_here(std::span<const size_t> frames) const;
  void join(std::span<const size_t> frames, Flights& joined) const;

  void submit(const Flights& flights);
  void run(const FlightPointer& flight);
  Result<> request(Flight& flight);
  Result<> read(Flight& flight, const Place& place, const CallOptions& options);
  Result<> move(Flight& flight, const Place& from, const CallOptions& options);
  Place place() const;
  Result<> take_tail(const MemberTail& tail);
  Result<> take(size_t frame, const Frame& entry, ByteView bytes);
  Flights end(Flight& flight, const Result<>& result);
  void leave(const Flights& joined, bool satisfied);

  const SyncContext& context_;
  LayerFrames& frames_;
  const Options options_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  Place place_;
  uint64_t changes_ = 0;
  // Per frame, the request under way that brings it.
  Flights claims_;
  FlightPointer tail_;
  // Those that have not ended.
  std::list<FlightPointer> flights_;
  std::optional<Error> failed_start_;
  bool counted_ = false;
};

}  // namespace varve
